package splunkfake

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake/spl"
)

// job is one search, which was run when it was started: what is added later it does not find.
type job struct {
	sid, user string
	form      url.Values
	found     spl.Result
	failure   Failure
	// left is how many answers come before the search is done, of answers.
	left, answers     int
	finalized, paused bool
	maxCount          int
	touched           time.Time
	ttl, autoCancel   time.Duration
}

// numbers are the parameters that are numbers.
func numbers() []string {
	return []string{"max_count", "max_time", "timeout", "auto_cancel", "auto_pause", "auto_finalize_ec", "status_buckets", "count", "offset", "reuse_max_seconds_ago"}
}

// taken are the others. Another one is refused.
func taken() []string {
	return []string{
		"search", "earliest_time", "latest_time", "exec_mode", "search_mode", "output_mode", "namespace", "id", "rf", "adhoc_search_level",
		"allow_partial_results", "enable_lookups", "preview", "time_format", "now", "provenance", "custom", "required_field_list", "label",
	}
}

func newJob(form url.Values) (*job, *refusal) {
	for name := range form {
		if !slices.Contains(numbers(), name) && !slices.Contains(taken(), name) {
			return nil, refuse(http.StatusBadRequest, "ERROR", "Argument \"%s\" is not supported by this handler.", name)
		}
	}
	n := map[string]int{"timeout": 86_400, "max_count": 10_000}
	for _, name := range numbers() {
		if text := form.Get(name); text != "" {
			value, err := strconv.Atoi(text)
			if err != nil || value < 0 {
				return nil, refuse(http.StatusBadRequest, "FATAL", "Invalid value \"%s\" for %s", text, name)
			}
			n[name] = value
		}
	}
	if strings.TrimSpace(form.Get("search")) == "" {
		return nil, refuse(http.StatusBadRequest, "FATAL", "Empty search.")
	}
	if !slices.Contains([]string{"", "normal", "blocking", "oneshot"}, form.Get("exec_mode")) {
		return nil, refuse(http.StatusBadRequest, "FATAL", "Invalid value \"%s\" for exec_mode", form.Get("exec_mode"))
	}
	if mode := form.Get("search_mode"); mode != "" && mode != "normal" {
		return nil, refuse(http.StatusBadRequest, "FATAL", "Invalid value \"%s\" for search_mode", mode)
	}
	return &job{
		sid: form.Get("id"), form: form, ttl: time.Duration(n["timeout"]) * time.Second,
		autoCancel: time.Duration(n["auto_cancel"]) * time.Second, maxCount: min(cmp.Or(n["max_count"], 500_000), 500_000),
	}, nil
}

// number gives the job an id, as a cluster of search heads does, unless it has one.
func (j *job) number(now time.Time, n int) {
	if j.sid == "" {
		j.sid = fmt.Sprintf("%d.%d_6D3C6B04-0E50-4D4C-9C7B-2B7B5E0C9A11", now.Unix(), n)
	}
}

// refusesPart reports whether the job fails where an indexer does.
func (j *job) refusesPart() bool {
	whole := slices.Contains([]string{"0", "false", "f"}, strings.ToLower(j.form.Get("allow_partial_results")))
	return whole && (j.failure == PeerDown || j.failure == PeerDied)
}

func (j *job) failed() bool {
	return j.left == 0 && (j.failure == SearchFails || j.failure == Zombie || j.refusesPart())
}

func (j *job) done() bool {
	return j.left == 0 && (j.finalized || j.failure != Stuck && j.failure != Paused && !j.paused)
}

// state is the job's, in Splunk's words.
func (j *job) state() string {
	switch {
	case j.failed():
		return "FAILED"
	case j.done():
		return "DONE"
	case j.paused || j.left == 0 && j.failure == Paused:
		return "PAUSED"
	case j.left == j.answers:
		return "QUEUED"
	case j.left == j.answers-1 && j.answers > 2:
		return "PARSING"
	case j.left == 1 && j.answers > 3:
		return "FINALIZING"
	}
	return "RUNNING"
}

// answer has the job go on, after it was asked about.
func (j *job) answer(now time.Time) {
	j.touched = now
	if j.left > 0 && !j.paused {
		j.left--
	}
}

// say is a message of a job.
func say(kind, format string, args ...any) map[string]string {
	return map[string]string{"type": kind, "text": fmt.Sprintf(format, args...)}
}

// messages are those that a job has when it has ended.
//
// The limit of memory is quoted in https://github.com/guilhemmarchand/trackme/issues/323, an
// indexer that is down in https://docs.splunk.com/Documentation/Splunk/9.2.1/Troubleshooting/authtimeout.
func (j *job) messages() []map[string]string {
	all := []map[string]string{}
	if j.left > 0 {
		return all
	}
	// Which words an indexer that died has is not documented where it could be read.
	said := map[Failure]map[string]string{
		PeerDown:    say("WARN", "Unable to distribute to peer named idx2 at uri https://idx2:8089 because peer has status = \"Down\"."),
		PeerDied:    say("ERROR", "Search results might be incomplete: the search process on the peer:idx2 ended prematurely."),
		TimeLimit:   say("INFO", "Search auto-finalized after time limit (30 seconds) reached."),
		DiskLimit:   say("INFO", "Search auto-finalized after disk usage limit (100MB) reached."),
		MemoryLimit: say("WARN", "Reached the maximum in-memory consumption limit for search results (200 MB), results might be incomplete! Increase the max_mem_usage_mb setting in limits.conf."),
		SearchFails: say("FATAL", "Error in 'tstats' command: The search failed on all peers."),
	}
	if m, ok := said[j.failure]; ok {
		all = append(all, m)
	}
	if j.refusesPart() {
		all = append(all, say("FATAL", "The search job has failed due to an error: a search peer failed, and partial results are not allowed."))
	}
	return all
}

// entry is a job as it is given out.
func (j *job) entry(now time.Time, inWords bool) map[string]any {
	rows, progress := 0, 1-float64(j.left)/float64(j.answers)
	if j.done() {
		rows = len(j.found.Rows)
	}
	content := map[string]any{
		"sid": j.sid, "dispatchState": j.state(), "doneProgress": progress, "isDone": j.done(), "isFailed": j.failed(),
		"isFinalized": j.done() && (j.finalized || j.failure == TimeLimit || j.failure == DiskLimit), "isPaused": j.state() == "PAUSED",
		"isZombie": j.done() && j.failure == Zombie, "isSaved": false, "isRealTimeSearch": false, "isPreviewEnabled": false,
		"resultCount": rows, "scanCount": 0, "eventCount": 0, "ttl": int((j.ttl - now.Sub(j.touched)).Seconds()), "runDuration": 0.25,
		"messages": j.messages(), "priority": 5, "diskUsage": 49152, "delegate": "",
	}
	if j.left < j.answers {
		content["scanCount"], content["eventCount"] = j.found.Scanned, j.found.Matched
	}
	if !j.found.Earliest.IsZero() {
		content["earliestTime"] = j.found.Earliest.Format("2006-01-02T15:04:05.000-07:00")
	}
	if !j.found.Latest.IsZero() {
		content["latestTime"] = j.found.Latest.Format("2006-01-02T15:04:05.000-07:00")
	}
	if inWords {
		for name, v := range content {
			content[name] = inWord(v)
		}
	}
	return map[string]any{"name": j.form.Get("search"), "id": "https://splunk.example:8089" + OldJobs + "/" + j.sid, "author": j.user, "content": content}
}

func inWord(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return "1"
		}
		return "0"
	case int, float64:
		return fmt.Sprint(v)
	}
	return v
}

// page is a part of the results, in the form of an answer. Of a job that failed there are
// none; that they say so is not documented.
func (j *job) page(form url.Values, most int, said []map[string]string) map[string]any {
	rows := j.found.Rows
	offset, _ := strconv.Atoi(form.Get("offset"))
	count := 100
	if n, err := strconv.Atoi(form.Get("count")); err == nil {
		count = n
	}
	if count == 0 || count > most {
		count = most
	}
	rows = rows[min(max(0, offset), len(rows)):]
	rows = rows[:min(count, len(rows))]
	fields := []map[string]string{}
	for _, name := range j.found.Fields {
		fields = append(fields, map[string]string{"name": name})
	}
	if rows == nil {
		rows = []map[string]any{}
	}
	return map[string]any{"preview": false, "init_offset": offset, "messages": said, "fields": fields, "results": rows, "highlighted": map[string]any{}}
}
