package late

import (
	"context"
	_ "embed" // for the scripts.
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/wechat/account"
)

var (
	//go:embed park.lua
	parkSource string
	//go:embed keep.lua
	keepSource string
	//go:embed take.lua
	takeSource string
	//go:embed answer.lua
	answerSource string
	//go:embed turn.lua
	turnSource string
	//go:embed pick.lua
	pickSource string
	//go:embed done.lua
	doneSource string
)

// Redis keeps jobs for all replicas. Of each account there is
//
//   - wx:{APPID}:late, a stream with one entry a job, whose consumer group "gateway" knows the owners;
//   - wx:{APPID}:late:job:KEY, a hash with what the job is;
//   - wx:{APPID}:late:of:OPENID, a list of a follower's jobs, the oldest first.
//
// The hash tag keeps all of an account on one node of a cluster.
type Redis struct {
	client redis.Scripter
	park   *redis.Script
	keep   *redis.Script
	take   *redis.Script
	answer *redis.Script
	turn   *redis.Script
	pick   *redis.Script
	done   *redis.Script
}

// NewRedis returns a Redis over client, which stays the caller's to close.
func NewRedis(client redis.Scripter) *Redis {
	return &Redis{
		client: client,
		park:   redis.NewScript(parkSource),
		keep:   redis.NewScript(keepSource),
		take:   redis.NewScript(takeSource),
		answer: redis.NewScript(answerSource),
		turn:   redis.NewScript(turnSource),
		pick:   redis.NewScript(pickSource),
		done:   redis.NewScript(doneSource),
	}
}

// errScript says that a script answered what it never answers: somebody changed it or the server.
var errScript = errors.New("unexpected answer of a Redis script")

func streamOf(appID string) string        { return "wx:{" + appID + "}:late" }
func jobPrefixOf(appID string) string     { return streamOf(appID) + ":job:" }
func queueOf(appID, openID string) string { return streamOf(appID) + ":of:" + openID }

// Park is Store's.
func (r *Redis) Park(ctx context.Context, job Job, owner string) (string, bool, error) {
	keys := []string{streamOf(job.AppID), jobPrefixOf(job.AppID) + job.Key, queueOf(job.AppID, job.OpenID)}
	args := []any{owner, job.Key, job.OpenID, job.Push, string(job.Policy), (job.Left + grace).Milliseconds()}
	id, err := r.park.Run(ctx, r.client, keys, appendParts(args, job.Parts)...).Text()
	if err != nil {
		return "", false, fmt.Errorf("store late answer of message %s: %w", job.Key, err)
	}
	return id, id != "", nil
}

// Keep is Store's.
func (r *Redis) Keep(ctx context.Context, appID, owner string, ids []string) ([]string, error) {
	lost, err := r.setIdle(ctx, appID, owner, 0, ids)
	if err != nil {
		return nil, fmt.Errorf("renew late answers: %w", err)
	}
	return lost, nil
}

// Release is Store's.
func (r *Redis) Release(ctx context.Context, appID, owner string, ids []string) error {
	if _, err := r.setIdle(ctx, appID, owner, 2*Lease, ids); err != nil {
		return fmt.Errorf("release late answers: %w", err)
	}
	return nil
}

// atOnce is how many jobs one script handles: it keeps everybody else waiting meanwhile.
const atOnce = 200

// setIdle sets the time for which the owner has been silent about jobs.
func (r *Redis) setIdle(ctx context.Context, appID, owner string, idle time.Duration, ids []string) (lost []string, err error) {
	for chunk := range slices.Chunk(ids, atOnce) {
		args := make([]any, 0, 2+len(chunk))
		args = append(args, owner, idle.Milliseconds())
		for _, id := range chunk {
			args = append(args, id)
		}
		gone, err := r.keep.Run(ctx, r.client, []string{streamOf(appID)}, args...).StringSlice()
		if err != nil {
			return nil, err
		}
		lost = append(lost, gone...)
	}
	return lost, nil
}

// Take is Store's.
func (r *Redis) Take(ctx context.Context, appID, owner string) ([]Job, error) {
	keys := []string{streamOf(appID), jobPrefixOf(appID)}
	got, err := r.take.Run(ctx, r.client, keys, owner, Lease.Milliseconds(), atOnce).Slice()
	if err != nil {
		return nil, fmt.Errorf("take over late answers: %w", err)
	}
	jobs := make([]Job, 0, len(got))
	for _, entry := range got {
		job, err := readJob(entry)
		if err != nil {
			return nil, fmt.Errorf("take over late answers: %w", err)
		}
		job.AppID = appID
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// readJob reads one of take.lua's entries. A job whose record has ended has no time left.
func readJob(entry any) (Job, error) {
	values, ok := entry.([]any)
	if !ok || len(values) != 4 {
		return Job{}, fmt.Errorf("%w: job %T", errScript, entry)
	}
	id, okID := values[0].(string)
	key, okKey := values[1].(string)
	life, okLife := values[2].(int64)
	flat, okFlat := values[3].([]any)
	if !okID || !okKey || !okLife || !okFlat {
		return Job{}, fmt.Errorf("%w: job of %T, %T, %T, %T", errScript, values[0], values[1], values[2], values[3])
	}
	record := make(map[string]string, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		name, okName := flat[i].(string)
		value, okValue := flat[i+1].(string)
		if !okName || !okValue {
			return Job{}, fmt.Errorf("%w: field %T of %T", errScript, flat[i+1], flat[i])
		}
		record[name] = value
	}
	job := Job{
		id: id, Key: key, OpenID: record["openid"], Push: []byte(record["push"]),
		Policy: account.LateAnswerPolicy(record["policy"]),
		Left:   time.Duration(life)*time.Millisecond - grace,
	}
	for i := 0; ; i++ {
		part, ok := record[strconv.Itoa(i)]
		if !ok {
			return job, nil
		}
		job.Parts = append(job.Parts, []byte(part))
	}
}

// Answer is Store's.
func (r *Redis) Answer(ctx context.Context, job Job, owner string, parts [][]byte) error {
	keys := []string{streamOf(job.AppID), jobPrefixOf(job.AppID) + job.Key}
	stored, err := r.answer.Run(ctx, r.client, keys, appendParts([]any{owner, job.id}, parts)...).Bool()
	if err != nil {
		return fmt.Errorf("store late answer of message %s: %w", job.Key, err)
	}
	if !stored {
		return ErrLost
	}
	return nil
}

func appendParts(args []any, parts [][]byte) []any {
	for _, part := range parts {
		args = append(args, part)
	}
	return args
}

// Turn is Store's.
func (r *Redis) Turn(ctx context.Context, job Job) (bool, error) {
	keys := []string{queueOf(job.AppID, job.OpenID), jobPrefixOf(job.AppID)}
	turn, err := r.turn.Run(ctx, r.client, keys, job.Key).Bool()
	if err != nil {
		return false, fmt.Errorf("order of late answer %s: %w", job.Key, err)
	}
	return turn, nil
}

// Pick is Store's.
func (r *Redis) Pick(ctx context.Context, appID, openID, by string) (Pickup, error) {
	keys := []string{streamOf(appID), queueOf(appID, openID), jobPrefixOf(appID)}
	got, err := r.pick.Run(ctx, r.client, keys, by, grace.Milliseconds()).Slice()
	if err != nil {
		return Pickup{}, fmt.Errorf("pick up a late answer for message %s: %w", by, err)
	}
	if len(got) != 3 {
		return Pickup{}, fmt.Errorf("pick up a late answer for message %s: %w: %d values", by, errScript, len(got))
	}
	state, okState := got[0].(int64)
	part, okPart := got[1].(string)
	last, okLast := got[2].(int64)
	if !okState || !okPart || !okLast {
		return Pickup{}, fmt.Errorf("pick up a late answer for message %s: %w: %T, %T, %T", by, errScript, got[0], got[1], got[2])
	}
	return Pickup{State: State(state), Part: []byte(part), Last: last == 1}, nil
}

// Done is Store's.
func (r *Redis) Done(ctx context.Context, job Job) (bool, error) {
	keys := []string{streamOf(job.AppID), jobPrefixOf(job.AppID) + job.Key, queueOf(job.AppID, job.OpenID)}
	picked, err := r.done.Run(ctx, r.client, keys, job.id, job.Key).Bool()
	if err != nil {
		return false, fmt.Errorf("forget late answer of message %s: %w", job.Key, err)
	}
	return picked, nil
}
