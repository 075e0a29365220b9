package late

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Memory keeps jobs for one process: the twin of Redis in tests of loops. It never fails but with ErrLost.
type Memory struct {
	mu      sync.Mutex
	entries int
	jobs    map[string]*record   // by account and key
	queues  map[string][]*record // by account and follower, the oldest first
}

type record struct {
	job     Job
	owner   string
	renewed time.Time
	expires time.Time // of the job; the record lives for grace longer
	next    int
	by      string
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{jobs: map[string]*record{}, queues: map[string][]*record{}}
}

func jobName(appID, key string) string      { return jobPrefixOf(appID) + key }
func (r *record) name() string              { return jobName(r.job.AppID, r.job.Key) }
func (r *record) queue() string             { return queueOf(r.job.AppID, r.job.OpenID) }
func (r *record) ended(now time.Time) bool  { return !now.Before(r.expires.Add(grace)) }
func (r *record) silent(now time.Time) bool { return now.Sub(r.renewed) >= Lease }

// Park is Store's.
func (m *Memory) Park(_ context.Context, job Job, owner string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.forgetEnded(now)
	if _, there := m.jobs[jobName(job.AppID, job.Key)]; there {
		return "", false, nil
	}
	m.entries++
	job.id = strconv.Itoa(m.entries)
	r := &record{job: job, owner: owner, renewed: now, expires: now.Add(job.Left)}
	m.jobs[r.name()] = r
	m.queues[r.queue()] = append(m.queues[r.queue()], r)
	return job.id, true, nil
}

func (m *Memory) forgetEnded(now time.Time) {
	for _, r := range m.jobs {
		if r.ended(now) {
			m.forget(r)
		}
	}
}

func (m *Memory) forget(r *record) {
	delete(m.jobs, r.name())
	m.unqueue(r)
}

func (m *Memory) unqueue(r *record) {
	m.queues[r.queue()] = slices.DeleteFunc(m.queues[r.queue()], func(other *record) bool { return other == r })
	if len(m.queues[r.queue()]) == 0 {
		delete(m.queues, r.queue())
	}
}

// owned returns the record with that id if it is owner's.
func (m *Memory) owned(appID, owner, id string) *record {
	for _, r := range m.jobs {
		if r.job.AppID == appID && r.job.id == id && r.owner == owner {
			return r
		}
	}
	return nil
}

// Keep is Store's.
func (m *Memory) Keep(_ context.Context, appID, owner string, ids []string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.setRenewed(appID, owner, ids, time.Now()), nil
}

// Release is Store's.
func (m *Memory) Release(_ context.Context, appID, owner string, ids []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setRenewed(appID, owner, ids, time.Now().Add(-2*Lease))
	return nil
}

func (m *Memory) setRenewed(appID, owner string, ids []string, at time.Time) (lost []string) {
	for _, id := range ids {
		if r := m.owned(appID, owner, id); r != nil {
			r.renewed = at
		} else {
			lost = append(lost, id)
		}
	}
	return lost
}

// Take is Store's.
func (m *Memory) Take(_ context.Context, appID, owner string) ([]Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var jobs []Job
	for _, r := range m.jobs {
		if r.job.AppID == appID && r.owner != "" && r.silent(now) {
			r.owner, r.renewed = owner, now
			job := r.job
			job.Left = r.expires.Sub(now)
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

// Answer is Store's.
func (m *Memory) Answer(_ context.Context, job Job, owner string, parts [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.owned(job.AppID, owner, job.id)
	if r == nil {
		return ErrLost
	}
	r.job.Parts = parts
	return nil
}

// Turn is Store's.
func (m *Memory) Turn(_ context.Context, job Job) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetEnded(time.Now())
	queue := m.queues[queueOf(job.AppID, job.OpenID)]
	return len(queue) == 0 || queue[0].job.Key == job.Key, nil
}

// Pick is Store's.
func (m *Memory) Pick(_ context.Context, appID, openID, by string) (Pickup, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetEnded(time.Now())
	for {
		queue := m.queues[queueOf(appID, openID)]
		if len(queue) == 0 {
			return Pickup{}, nil
		}
		switch r := queue[0]; {
		case r.by == by:
			return Pickup{State: Found, Part: r.job.Parts[r.next-1]}, nil
		case len(r.job.Parts) == 0:
			return Pickup{State: Waiting}, nil
		case r.next < len(r.job.Parts):
			r.next, r.by = r.next+1, by
			return Pickup{State: Found, Part: r.job.Parts[r.next-1], Last: r.next == len(r.job.Parts)}, nil
		default:
			m.unqueue(r)
			r.owner, r.expires = "", time.Now()
		}
	}
}

// Done is Store's.
func (m *Memory) Done(_ context.Context, job Job) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, there := m.jobs[jobName(job.AppID, job.Key)]
	if !there {
		return false, nil
	}
	m.forget(r)
	return r.by != "" && r.next == len(r.job.Parts), nil
}
