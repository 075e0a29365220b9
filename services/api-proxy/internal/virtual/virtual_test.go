package virtual_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/api-proxy/internal/virtual"
)

var sample = virtual.Token{Caller: "crm 系统", AppID: "wx0000000000000001", Generation: 18_446_744_073_709_551_615, Expires: 1_795_500_180}

func TestATokenComesBackAsItWas(t *testing.T) {
	t.Parallel()
	written := virtual.Join(sample.Text(), []byte("signature"))
	if strings.ContainsAny(written, " +/=&?%#") || len(written) > 512 {
		t.Errorf("%s cannot stand in a query as it is, or is longer than the 512 characters that SDKs store", written)
	}
	got, text, signature, err := virtual.Split(written)
	if err != nil || string(signature) != "signature" || string(text) != string(sample.Text()) {
		t.Errorf("text %s, signature %s, error %v", text, signature, err)
	}
	if diff := cmp.Diff(sample, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoVirtualTokenIsForeign(t *testing.T) {
	t.Parallel()
	good := virtual.Join(sample.Text(), []byte("signature"))
	for _, token := range []string{
		"", "x", "wxv1.", "wxv1..", "wxv1.e30", "76_ZAbc-real_token", good + "=", good[1:], strings.Replace(good, ".", "", 1), "wxv1.e3.e30", good + "\n",
	} {
		if _, _, _, err := virtual.Split(token); !errors.Is(err, virtual.ErrForeign) {
			t.Errorf("Split(%q) = %v, want ErrForeign", token, err)
		}
	}
}

func TestATokenIsAcceptedThroughTheOverlap(t *testing.T) {
	t.Parallel()
	end := time.Unix(sample.Expires, 0)
	for after, want := range map[time.Duration]bool{-time.Hour: false, 0: false, virtual.Overlap: false, virtual.Overlap + time.Second: true} {
		if got := sample.Expired(end.Add(after)); got != want {
			t.Errorf("expired %v after its end: %v, want %v", after, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(virtual.Join(sample.Text(), []byte("signature")))
	f.Add("wxv1.e30.")
	f.Fuzz(func(t *testing.T, written string) {
		token, text, signature, err := virtual.Split(written)
		if err != nil {
			return
		}
		// What is verified is what was read: nobody can say one thing and have another signed.
		if again := virtual.Join(text, signature); again != written {
			t.Errorf("%q was read like %q", written, again)
		}
		if token.Expired(time.Unix(token.Expires, 0)) {
			t.Errorf("%+v has expired before its end", token)
		}
	})
}
