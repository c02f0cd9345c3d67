package splunkfake

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake/spl"
)

// Jobs is where searches are started, below the address of splunkd; OldJobs is the same before
// 9.0, which later versions have, too.
//
// https://github.com/splunk/splunk-sdk-python/pull/468
const (
	Jobs    = "/services/search/v2/jobs"
	OldJobs = "/services/search/jobs"
)

// Searching is the capability without which nobody searches.
const Searching = "search"

// Search says how an installation searches. The zero value has an accelerated data model
// without a lag, two indexers, and room for three searches of a user at a time.
type Search struct {
	// Now is the clock of the search head; nil is that of this machine. Zone is the time zone
	// of users, in which results write times; nil is UTC.
	Now  func() time.Time
	Zone *time.Location
	// Answers is how many answers about a search come before it is done; 0 is 2.
	Answers int
	// Concurrent is how many searches of a user may run at a time; 0 is 3, the default of the
	// role user.
	Concurrent int
	// MostResults is how many results an answer has at most, also where all are asked for; 0
	// is 50,000.
	MostResults int
	// SummaryLag is how old the newest event is that summaries of the data model have.
	// Unaccelerated has it without summaries.
	SummaryLag    time.Duration
	Unaccelerated bool
	// Indexes are those that are searched where a search names none; nil is main.
	Indexes []string
	// Old has an installation of before 9.0.
	Old bool
	// Words has the properties of a search be texts, such as "1" for true, as they are in XML.
	Words bool
}

// The ways in which searches fail. All but [QuotaFull] and [SearchFails] are told by nothing
// but the state and the messages of the search.
const (
	// QuotaFull is a search that is refused, because others run: 503.
	QuotaFull Failure = "quota_full"
	// PeerDown is an indexer that is not reached, and PeerDied one that fails during the
	// search: what it has is missing.
	PeerDown Failure = "peer_down"
	PeerDied Failure = "peer_died"
	// TimeLimit is a search that was ended for its time, and DiskLimit one that was for its
	// space: older events are missing. Splunk calls both an information.
	TimeLimit Failure = "time_limit"
	DiskLimit Failure = "disk_limit"
	// MemoryLimit is a command that had too many results: some are missing.
	MemoryLimit Failure = "memory_limit"
	// SearchFails is a search that ends as failed, and Zombie one of which the process has
	// gone. Asked for its results, it has none.
	SearchFails Failure = "search_fails"
	Zombie      Failure = "zombie"
	// Stuck is a search that never ends, and Paused one that is paused.
	Stuck  Failure = "stuck"
	Paused Failure = "paused"
	// EndedByHand is a search that a person finalized: a part of its results is there, and no
	// message. That there is none is not documented.
	EndedByHand Failure = "ended_by_hand"
	// Gone is a search that is forgotten before its results are read.
	Gone Failure = "gone"
)

// Sought is a search that was started.
type Sought struct {
	// Text is the search, and Form what it was started with.
	Text string
	Form url.Values
	// Earliest and Latest are the bounds in which was searched; zero is unbounded.
	Earliest, Latest time.Time
	// Scanned is how many events it read.
	Scanned int
}

// searching is the state of an installation's searches.
type searching struct {
	events []spl.Event
	jobs   []*job
	sought []Sought
	last   int
}

// AddEvents adds events.
func (d *Double) AddEvents(events ...spl.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.search.events = append(d.search.events, events...)
}

// Sought are the searches that were started, oldest first.
func (d *Double) Sought() []Sought {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.search.sought)
}

// Running is how many searches run, and Kept how many there are, with those.
func (d *Double) Running() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running("")
}

// Kept is how many searches are kept, with those that run.
func (d *Double) Kept() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget()
	return len(d.search.jobs)
}

// running counts the searches of a user that run, or those of all. The lock is held.
func (d *Double) running(user string) int {
	d.forget()
	n := 0
	for _, j := range d.search.jobs {
		if !j.done() && (user == "" || j.user == user) {
			n++
		}
	}
	return n
}

// forget drops searches that nobody asked about for long enough. The lock is held.
func (d *Double) forget() {
	now := d.now()
	d.search.jobs = slices.DeleteFunc(d.search.jobs, func(j *job) bool {
		left := j.done() && now.Sub(j.touched) > j.ttl
		return left || !j.done() && j.autoCancel > 0 && now.Sub(j.touched) > j.autoCancel
	})
}

func (d *Double) now() time.Time {
	if d.o.Search.Now != nil {
		return d.o.Search.Now()
	}
	return time.Now()
}

// sees are the events that a user may read, of the indexers that answer.
func (d *Double) sees(by Token, j *job) []spl.Event {
	var seen []spl.Event
	for i, e := range d.search.events {
		missing := i%2 == 1 && (j.failure == PeerDown || j.failure == PeerDied)
		if !missing && (by.Indexes == nil || slices.Contains(by.Indexes, e.Index)) {
			seen = append(seen, e)
		}
	}
	if j.failure == TimeLimit || j.failure == DiskLimit {
		slices.SortStableFunc(seen, func(a, b spl.Event) int { return b.Time.Compare(a.Time) })
		seen = seen[:(len(seen)+1)/2]
	}
	return seen
}

// run runs the search of a job.
func (d *Double) run(by Token, j *job, form url.Values) *refusal {
	o := d.o.Search
	env := spl.Env{
		Events: d.sees(by, j), Now: d.now(), Zone: o.Zone, Earliest: form.Get("earliest_time"), Latest: form.Get("latest_time"),
		Indexes: o.Indexes, Window: by.Window, Summarized: d.now().Add(-o.SummaryLag),
	}
	if o.SummaryLag == 0 {
		// Events of a sensor whose clock is ahead are summarized, too.
		env.Summarized = time.Unix(1<<40, 0)
	}
	if o.Unaccelerated {
		env.Summarized = time.Time{}
	}
	if env.Indexes == nil {
		env.Indexes = []string{"main"}
	}
	found, err := spl.Run(form.Get("search"), env)
	if err != nil {
		return refuse(400, "FATAL", "%v", err)
	}
	d.search.sought = append(d.search.sought, Sought{form.Get("search"), form, found.Earliest, found.Latest, found.Scanned})
	if j.failure == MemoryLimit || j.failure == EndedByHand {
		found.Rows = found.Rows[:len(found.Rows)/2]
	}
	// More results than max_count are not kept, without a word.
	found.Rows = found.Rows[:min(len(found.Rows), j.maxCount)]
	if j.failure == SearchFails || j.failure == Zombie || j.refusesPart() {
		found.Rows = nil
	}
	j.found = found
	return nil
}

// failsAs takes the next failure of a search, if there is one.
func (d *Double) failsAs() Failure {
	for _, how := range []Failure{PeerDown, PeerDied, TimeLimit, DiskLimit, MemoryLimit, SearchFails, Zombie, Stuck, Paused, EndedByHand, Gone} {
		if d.failing(how) {
			return how
		}
	}
	return ""
}

// start starts a search.
func (d *Double) start(by Token, form url.Values) (*job, *refusal) {
	most := cmp.Or(d.o.Search.Concurrent, 3)
	if n := d.running(by.User); n >= most || d.failing(QuotaFull) {
		return nil, refuse(503, "FATAL", "Search not executed: The maximum number of concurrent historical searches for this user based on their role quota has been reached., concurrency_category=\"historical\", concurrency_context=\"user_instance-wide\", current_concurrency=%d, concurrency_limit=%d", max(n, most), most)
	}
	j, refused := newJob(form)
	if refused != nil {
		return nil, refused
	}
	d.search.last++
	j.number(d.now(), d.search.last)
	j.user, j.failure, j.answers = by.User, d.failsAs(), cmp.Or(d.o.Search.Answers, 2)
	j.left, j.finalized = j.answers, j.failure == EndedByHand
	j.touched = d.now()
	if refused := d.run(by, j, form); refused != nil {
		return nil, refused
	}
	d.search.jobs = append(d.search.jobs, j)
	return j, nil
}
