package tokencenter_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// peerDefects are what other token services get wrong, as read in their sources and their users' reports,
// with the tests by which ours does not. A path is relative to this folder.
var peerDefects = []struct {
	defect string
	tests  []string // folder:Test
}{
	{"WxJava since 2024-03: expiry is checked before the lock is won and not after, so each expiry costs 2 to 3 fetches", []string{
		"internal/refresh:TestEachExpiryCostsOneFetchHoweverManyCallersWait", ".:TestAThousandCallersOfTwoReplicasCauseOneFetch",
	}},
	{"Senparc until 2026-07: no re-read inside the lock", []string{"internal/refresh:TestTheWinnerOfTheLeaseReadsAgainBeforeItAsks"}},
	{"WxJava: waiters for the lock fail after 3 s when WeChat is slow", []string{"internal/refresh:TestASlowPlatformDoesNotMakeReplicasOvertakeEachOther"}},
	{"WxJava: a lock of fixed 60 s lapses under work that takes longer, and blocks for 60 s after a crash", []string{
		"internal/lease:TestALeaseOutlivesItsTTLWhileTheWorkGoesOn", "internal/refresh:TestAReplicaThatDiesWithTheLeaseHoldsNobodyUpForLong",
	}},
	{"oauth2-proxy: the work goes on after the lock has lapsed, and two refresh", []string{
		"internal/refresh:TestALostLeaseCancelsTheWorkAndIsCounted", "internal/refresh:TestAStaleWriteIsRefused",
	}},
	{"varys: the lock is a flag in a row, which a crash leaves set for good", []string{"internal/refresh:TestAReplicaThatDiesWithTheLeaseHoldsNobodyUpForLong"}},
	{"goclub: who does not get the lock gets \"busy\" in place of the new token", []string{
		"internal/refresh:TestManyCallersOfAnEmptyStoreShareOneFetch", "internal/refresh:TestReportsOfARejectedTokenShareOneFetch",
	}},
	{"chanxuehong: a failed early renewal throws away the token that is still valid", []string{
		"internal/refresh:TestAFailedEarlyRenewalKeepsTheTokenAndTellsHealthOnlyNearExpiry",
	}},
	{"fastwego, co-wechat-api, golang-weixin-token: the token is deleted before the next is fetched", []string{
		"internal/refresh:TestNobodyIsWithoutATokenWhileItIsBeingReplaced",
	}},
	{"wj-Mcat and others: WeChat's error body is cached as a token for two hours", []string{
		"internal/refresh:TestARefusalIsNeverKeptAsAToken", "internal/issuer:TestEveryFailureHasAKindAndARemedyAndNoSecret",
	}},
	{"token-ccs, wj-Mcat, wxtoken: a frozen expires_in makes clients use a dead token for up to two hours", []string{
		"internal/server:TestGetTokenTellsTheTrueRemainingLife",
	}},
	{"weixin-java-tools #128, WxJava #1381, wechatpy #629: endless refresh on 40164, 40125 and the like burns the day's quota", []string{
		"internal/refresh:TestACodeThatNoRefreshCuresIsNotTriedAgainSoon", ".:TestARejectedSecretIsToldWithItsRemedyAndNotTriedAgain",
	}},
	{"silenceper PR #762, easywechat #2920: trouble with the cache becomes a storm of fetches", []string{
		"internal/refresh:TestAStoreThatIsDownCausesNoFetchAndItsLossNeither", ".:TestWithRedisDownTheLastTokenIsServedAndNobodyFetches",
	}},
	{"WxJava #369 and many: an older token is saved over a newer one", []string{
		"internal/refresh:TestAStaleWriteIsRefused", "internal/store:TestConformance",
	}},
	{"WxJava #866 and many: two systems void each other's token, and nobody says so", []string{
		".:TestARotationBehindOurBackIsHealedByOneFetchAndReachesEveryWatcher", "internal/refresh:TestForeign",
	}},
	{"silenceper #641, easywechat #2441: no passive refresh, a dead token is used for two hours", []string{
		"internal/refresh:TestReportsOfARejectedTokenShareOneFetch",
	}},
	{"Senparc #1677 and many: the day's quota of token calls is used up", []string{
		"internal/refresh:TestAStormOfReportsIsHeldBack", "internal/kind:TestEveryKindStaysWithinWhatWeChatAllows",
		"internal/refresh:TestADayOfTwoReplicasAlwaysHasAValidTokenAndFewFetches",
	}},
	{"nobody but goclub: the answer to a token call is lost, and the old token is trusted on", []string{
		"internal/refresh:TestALostAnswerOfAClassicCallIsPlannedFor", "internal/refresh:TestACrashBetweenFetchAndSave",
	}},
	{"SDKs: force_refresh is used beyond 20 a day or within 30 s", []string{"internal/refresh:TestForceIsTheLastRemedyAndWithinItsAllowance"}},
	{"silenceper: a timestamp of 32 bits", []string{"internal/store:TestATokenOfTheYear2039IsKeptAsItIs"}},
	{"silenceper, token-hub: a map is read without a lock (found by the race detector)", []string{
		"internal/refresh:TestManyCallersOfAnEmptyStoreShareOneFetch", "internal/refresh:TestModel",
	}},
	{"easywechat #185 and others: one place for all accounts' tokens", []string{"internal/store:TestAccountsDoNotShareATokenOrACounter"}},
	{"goclub, varys, fastwego, WxJava #556: tokens and secrets in the log", []string{
		".:TestNeitherSecretNorTokenIsEverLogged", "internal/credential:TestACredentialNeverPrintsItsValue",
	}},
}

// A defect whose test was renamed or removed is not covered any more.
func TestEveryDefectOfThePeersHasItsTest(t *testing.T) {
	t.Parallel()
	byFolder := map[string]map[string]bool{}
	for _, d := range peerDefects {
		if len(d.tests) == 0 {
			t.Errorf("no test covers: %s", d.defect)
		}
		for _, name := range d.tests {
			folder, test, _ := strings.Cut(name, ":")
			if byFolder[folder] == nil {
				byFolder[folder] = testsIn(t, folder)
			}
			if !byFolder[folder][test] {
				t.Errorf("%s is not in %s; it covers: %s", test, folder, d.defect)
			}
		}
	}
}

// testsIn returns the names of the tests of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests
}
