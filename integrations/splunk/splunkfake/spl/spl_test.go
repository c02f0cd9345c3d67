package spl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func at() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }

// seen is an event of network traffic so long before ten, by pairs of names and values.
func seen(ago time.Duration, pairs ...string) Event {
	e := Event{Time: at().Add(-ago), Index: "netfw", Host: "fw1", Sourcetype: "fw", Fields: map[string]any{"tag": []string{"communicate", "network"}}}
	for i := 0; i < len(pairs); i += 2 {
		e.Fields[pairs[i]] = pairs[i+1]
	}
	return e
}

func traffic() []Event {
	return []Event{
		seen(time.Minute, "src", "10.0.0.5", "dest", "198.51.100.1", "dest_port", "443", "transport", "tcp", "bytes_out", "300", "bytes_in", "5", "dvc", "fw1", "action", "allowed"),
		seen(2*time.Minute, "src", "10.0.0.5", "dest", "198.51.100.2", "dest_port", "53", "app", "dns", "transport", "UDP", "bytes_out", "20", "dvc", "fw2", "action", "allowed"),
		seen(3*time.Minute, "src", "10.0.0.6", "dest", "198.51.100.1", "transport", "icmp", "bytes", "70", "dvc", "fw1", "action", "blocked"),
		seen(20*time.Minute, "src", "2001:0db8:0000:0000:0000:0000:0000:0005", "dest", "2001:db8::1", "dest_port", "443", "transport", "tcp", "bytes_out", "9", "dvc", "fw1"),
		{Time: at().Add(-time.Minute), Index: "main", Fields: map[string]any{"src": "10.0.0.5", "note": "no traffic"}},
	}
}

func env() Env {
	return Env{Events: traffic(), Now: at(), Summarized: at(), Indexes: []string{"main"}}
}

func run(t *testing.T, e Env, text string) Result {
	t.Helper()
	found, err := Run(text, e)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return found
}

// lines are rows as text: their columns with commas between.
func lines(r Result) string {
	var all []string
	for _, of := range r.Rows {
		var one []string
		for _, name := range r.Fields {
			one = append(one, fmt.Sprint(of[name]))
		}
		all = append(all, strings.Join(one, ","))
	}
	return strings.Join(all, " ")
}

// TestSearches runs searches whose answers the search reference tells.
func TestSearches(t *testing.T) {
	const model = " from datamodel=Network_Traffic.All_Traffic "
	for name, c := range map[string]struct{ text, want string }{
		"sum of all":                     {`| tstats sum(All_Traffic.bytes_out) as b count` + model, "329,4"},
		"a name of its own":              {`| tstats sum(All_Traffic.bytes_out)` + model, "329"},
		"without the prefix":             {`| tstats count sum(bytes_out) as b` + model + `where src="10.0.0.5"`, "0,<nil>"},
		"by a field that some lack":      {`| tstats count` + model + `by All_Traffic.app`, "dns,1"},
		"filled":                         {`| tstats fillnull_value=- count` + model + `by All_Traffic.app`, "-,3 dns,1"},
		"unknown":                        {`| tstats count` + model + `by All_Traffic.action`, "allowed,2 blocked,1 unknown,1"},
		"bounds in the search":           {`| tstats count` + model + `where earliest=-150s latest=-1m`, "1"},
		"bounds by the clock":            {`| tstats count` + model + `where earliest="03/02/2026:09:30:00" latest=1772444401`, "1"},
		"IN":                             {`| tstats count` + model + `where All_Traffic.src IN ("10.0.0.5", 10.0.0.6) by All_Traffic.src`, "10.0.0.5,2 10.0.0.6,1"},
		"a network":                      {`| tstats count` + model + `where All_Traffic.src="10.0.0.0/8"`, "3"},
		"a network of IPv6":              {`| tstats count` + model + `where All_Traffic.src=2001:db8::/32`, "1"},
		"another spelling of an IPv6":    {`| tstats count` + model + `where All_Traffic.src="2001:db8::5"`, "0"},
		"OR before AND":                  {`| tstats count` + model + `where All_Traffic.dest_port=53 OR All_Traffic.dest_port=443 All_Traffic.dvc=fw1`, "2"},
		"NOT finds what lacks a field":   {`| tstats count` + model + `where NOT All_Traffic.app=http`, "4"},
		"!= does not":                    {`| tstats count` + model + `where All_Traffic.app!=http`, "1"},
		"capitals in values":             {`| tstats count` + model + `where All_Traffic.transport=UDP by All_Traffic.transport`, "udp,1"},
		"wildcard":                       {`| tstats count` + model + `where All_Traffic.dest=198.51.*`, "3"},
		"spans":                          {`| tstats count` + model + `by _time span=15m`, "2026-03-02T09:30:00.000+00:00,1 2026-03-02T09:45:00.000+00:00,3"},
		"times":                          {`| tstats min(_time) as a max(_time) as b` + model, "1772444400,1772445540"},
		"values":                         {`| tstats values(All_Traffic.dvc) as d dc(All_Traffic.dest) as n` + model, "[fw1 fw2],3"},
		"a child of the dataset":         {`| tstats count` + model + `where nodename=All_Traffic.Traffic_By_Action.Blocked_Traffic`, "1"},
		"no events, no groups":           {`| tstats count` + model + `where All_Traffic.src=x by All_Traffic.src`, ""},
		"an index":                       {`| tstats count max(_time) as t where index=netfw by sourcetype`, "fw,4,1772445540"},
		"not all indexes":                {`| tstats count where earliest=0`, "1"},
		"fields of no index":             {`| tstats count where index=netfw src="10.0.0.5"`, "0"},
		"default indexes":                {`search tag=network | stats count`, "0"},
		"events":                         {`search index=netfw tag=network tag=communicate src="10.0.0.5" | table src, dest_port, bytes_in`, "10.0.0.5,443,5 10.0.0.5,53,<nil>"},
		"a macro":                        {"search (`cim_Network_Traffic_indexes`) index=* src=10.0.0.6 | stats count", "1"},
		"a text":                         {`search index=* "no traffic" | stats count`, "1"},
		"the model":                      {`| from datamodel:"Network_Traffic" | stats sum(bytes_out) as b by src | sort - b | head 1`, "10.0.0.5,320"},
		"the model with its prefix":      {`| datamodel Network_Traffic All_Traffic search | rename All_Traffic.* as * | stats count by dvc`, "fw1,3 fw2,1"},
		"eval":                           {`| from datamodel:Network_Traffic | eval b=coalesce(bytes_out, bytes), p=if(isnull(dest_port), 0, tonumber(dest_port)) | where b>=20 AND p<100 OR src="x" | stats sum(b) as b values(p) as p`, "90,[0 53]"},
		"a point is a concatenation":     {`| tstats count` + model + `by All_Traffic.dvc | eval a=All_Traffic.dvc, b='All_Traffic.dvc'."!" | table a b`, "<nil>,fw1! <nil>,fw2!"},
		"AND before OR":                  {`| makeresults | eval x=if(true() OR true() AND false(), "yes", "no") | table x`, "yes"},
		"arithmetic":                     {`| makeresults | eval a=7/2, b=7%4, c=-2*3+1, d="a"."b", e=round(2.567,2), f=null()+1 | table a b c d e f`, "3.5,3,-5,ab,2.57,<nil>"},
		"texts":                          {`| makeresults | eval a=lower("TCP"), b=replace("a-b","(\w)-(\w)","\2+\1"), c=mvindex(split("x,y,z",","),-1), d=substr("abcd",2,2), e=case(1==2,"n",true(),"y") | table a b c d e`, "tcp,b+a,z,bc,y"},
		"times as text":                  {`| makeresults | eval a=strftime(_time,"%Y-%m-%d %H:%M"), b=strptime("2026-03-02T10:00:00+00:00","%Y-%m-%dT%H:%M:%S%:z") | table a b`, "2026-03-02 10:00,1772445600"},
		"networks in eval":               {`| from datamodel:Network_Traffic | where cidrmatch("10.0.0.0/8", src) | stats count`, "3"},
		"count of an expression":         {`| from datamodel:Network_Traffic | stats count(eval(action="blocked")) as b count`, "1,4"},
		"dedup leaves out what lacks":    {`| from datamodel:Network_Traffic | dedup app | table app`, "dns"},
		"bins":                           {`| from datamodel:Network_Traffic | bin _time span=5m | stats count by _time`, "2026-03-02T09:40:00.000+00:00,1 2026-03-02T09:55:00.000+00:00,3"},
		"sort by numbers":                {`| from datamodel:Network_Traffic | sort 0 -num(bytes_out), src | table bytes_out`, "300 20 9 <nil>"},
		"fill":                           {`| from datamodel:Network_Traffic | fillnull value=x app | stats count by app`, "dns,1 x,3"},
		"fields":                         {`| tstats count` + model + `by All_Traffic.dvc | fields - count`, "fw1 fw2"},
		"a filter later":                 {`| tstats count as n` + model + `by All_Traffic.dvc | search n>1`, "fw1,3"},
		"sums of groups beside":          {`| from datamodel:Network_Traffic | eventstats count as n by dvc | where n=1 | table dvc n`, "fw2,1"},
		"ports of 0":                     {`| tstats count` + model + `by All_Traffic.dest_port`, "0,1 53,1 443,2"},
		"small letters":                  {`| tstats count` + model + `by All_Traffic.transport`, "icmp,1 tcp,2 udp,1"},
		"sums of both directions":        {`| tstats sum(All_Traffic.bytes) as b` + model + `by All_Traffic.transport`, "icmp,70 tcp,305 udp,<nil>"},
		"what is left of a sum":          {`| tstats sum(All_Traffic.bytes_out) as b` + model + `by All_Traffic.src`, "10.0.0.5,320 10.0.0.6,<nil> 2001:0db8:0000:0000:0000:0000:0000:0005,9"},
		"dedup by what all have":         {`| from datamodel:Network_Traffic | dedup dvc | table src`, "10.0.0.5 10.0.0.5"},
		"dedup of two":                   {`| from datamodel:Network_Traffic | dedup 2 dvc | stats count`, "3"},
		"dedup with what lacks":          {`| from datamodel:Network_Traffic | dedup app keepempty=t | stats count`, "4"},
		"what is not there compares not": {`| from datamodel:Network_Traffic | where app!="http" | stats count`, "1"},
		"nor less":                       {`| from datamodel:Network_Traffic | where bytes_in<100 OR nothing<1 | stats count`, "1"},
		"NOT of what is not there":       {`| from datamodel:Network_Traffic | where NOT app="http" | stats count`, "1"},
		"a pattern":                      {`| from datamodel:Network_Traffic | where dest LIKE "198.51.%" AND NOT match(src, "6$") | stats count`, "2"},
		"a list in eval":                 {`| from datamodel:Network_Traffic | where dest_port IN (53, "x") | table src`, "10.0.0.5"},
		"capitals in eval":               {`| from datamodel:Network_Traffic | where dvc="FW1" | stats count`, "0"},
		"the last ones":                  {`| from datamodel:Network_Traffic | tail 2 | table dvc`, "fw1 fw1"},
		"least and greatest":             {`| makeresults | eval a=min(3, "12", 7), b=max(3, "12", "x"), c=abs(-2).floor(1.9).ceil(1.1), d=pow(2,3), e=len("abc"), f=mvcount(mvappend("a","b")), g=nullif(1,1) | table a b c d e f g`, "3,x,212,8,3,2,<nil>"},
		"hexadecimal and no number":      {`| makeresults | eval a=tonumber("ff",16), b=tonumber("x"), d=if(isstr("x"),1,0) | table a b d`, "255,<nil>,1"},
		"spaces and lists":               {`| makeresults | eval a=trim("  x "), b=ltrim("xxa","x"), c=rtrim("ax","x"), d=mvjoin(mvdedup(split("a,b,a",",")),"+"), e=if(in("b","a","b") XOR false(),1,0) | table a b c d e`, "x,a,a,a+b,1"},
		"texts that are added":           {`| makeresults | eval a="x"+"y", b="x"+1, c=5-"2", d="say \"x\"" | table a b c d`, `xy,<nil>,3,say "x"`},
		"other sums":                     {`| from datamodel:Network_Traffic | stats avg(bytes_out) as a range(bytes_out) as r perc50(bytes_out) as p max(bytes_out) as m stdev(bytes_in) as s list(dvc) as l`, "109.666667,291,20,300,0,[fw1 fw2 fw1 fw1]"},
		"the order of addresses":         {`| from datamodel:Network_Traffic | sort ip(dest), str(src) | table dest src_port`, "198.51.100.1,0 198.51.100.1,0 198.51.100.2,0 2001:db8::1,0"},
		"the other way round":            {`| from datamodel:Network_Traffic | sort bytes_out desc | reverse | table bytes_out`, "<nil> 9 20 300"},
		"columns by a pattern":           {`| tstats count as n_a sum(All_Traffic.bytes_out) as n_b` + model + `by All_Traffic.dvc | rename All_Traffic.dvc AS dvc, n_a AS count | table dvc n_*`, "fw1,309 fw2,20"},
		"several values are several":     {`| from datamodel:Network_Traffic | stats values(dest) as d by src | mvexpand d | stats count by src`, "10.0.0.5,2 10.0.0.6,1 2001:0db8:0000:0000:0000:0000:0000:0005,1"},
		"comments":                       {"| tstats count ```of all``` " + model, "4"},
		"the first and the last":         {`| from datamodel:Network_Traffic | stats latest(dest) as l earliest(dest) as e median(bytes_out) as m`, "198.51.100.1,2001:db8::1,20"},
		"texts with a pipe in it":        {`| makeresults | eval a="x|y" | table a`, "x|y"},
		"bounds are a column by choice":  {`| tstats count` + model + `where earliest=1772444400 latest=1772445600 | addinfo | table info_min_time info_max_time`, "1772444400,1772445600"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lines(run(t, env(), c.text)); got != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
			}
		})
	}
}

// TestRefusals has the words of Splunk, where they are known.
func TestRefusals(t *testing.T) {
	const model = " from datamodel=Network_Traffic "
	for text, want := range map[string]string{
		"index=main":                                                     "Unknown search command 'index'.",
		"search x | nonsense":                                            "Unknown search command 'nonsense'.",
		"search x | tstats count":                                        "Error in 'tstats' command: This command must be the first command of a search.",
		"| tstats count from datamodel=Web":                              "Invalid or unaccelerable root object for datamodel",
		"| tstats wrong=1 count" + model:                                 "Invalid argument: 'wrong=1'",
		"| tstats prestats=t count" + model:                              "is not known here",
		"| tstats" + model:                                               "No statistical functions",
		"| tstats total(All_Traffic.bytes)" + model:                      "it is no statistical function",
		"| tstats sum" + model:                                           "needs a field",
		"| tstats count" + model + "by _time":                            "_time has to have one here",
		"| tstats count" + model + "by _time span=1y":                    "The value for option span (1y) is invalid.",
		"| tstats count" + model + "where earliest=2026-03-02T09:00:00Z": "Invalid value \"2026-03-02T09:00:00Z\" for time term 'earliest'",
		"| tstats count" + model + "where (All_Traffic.src=1":            "Missing ')'",
		"| tstats count" + model + "where All_Traffic.src=":              "missing a term on the right hand side",
		"| tstats count" + model + "where [search x]":                    "Unknown search command '['.",
		"search `mine`":                                                  "The search specifies a macro 'mine' that cannot be found.",
		"search x | eval a=foo(1)":                                       "The 'foo' function is unsupported or undefined.",
		"search x | eval a=if(1)":                                        "The arguments to the 'if' function are invalid.",
		"search x | where (a=1":                                          "')' is missing",
		"search x | stats by a":                                          "No statistical functions",
		"search x | head many":                                           "The argument 'many' is invalid.",
		"| makeresults | eval a=isnull(b)":                               "has to have a value that is no boolean",
		"search x | bin a span=5":                                        "The value for option span (5) is invalid.",
		`search "x`:                                                      "Mismatched quotes",
		"search x |":                                                     "Missing a search command",
		"":                                                               "Empty search.",
	} {
		_, err := Run(text, env())
		if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		earliest, latest string
		want             string
	}{
		{"", "", "4"},
		{"1772445480", "1772445540", "1"}, // from the first, up to the second but not at it
		{"2026-03-02T09:50:00.000+00:00", "now", "3"},
		{"2026-03-02T04:50:00-05:00", "", "3"},
		{"-1h@h", "@h", "4"},
		{"-15m", "-1m@m", "2"},
		{"0", "", "4"},
	} {
		e := env()
		e.Earliest, e.Latest = c.earliest, c.latest
		if got := lines(run(t, e, "| tstats count from datamodel=Network_Traffic")); got != c.want {
			t.Errorf("from %q to %q: %s, want %s", c.earliest, c.latest, got, c.want)
		}
	}
	e := env()
	e.Earliest = "-1h"
	// What the search says goes before.
	if r := run(t, e, "| tstats count from datamodel=Network_Traffic where earliest=-90s"); lines(r) != "1" || !r.Earliest.Equal(at().Add(-90*time.Second)) {
		t.Errorf("from %s: %s, want 1", r.Earliest, lines(r))
	}
	for _, wrong := range []string{"yesterday", "-1x", "2026-03-02"} {
		e.Earliest = wrong
		if _, err := Run("search x", e); err == nil {
			t.Errorf("earliest_time %q is taken", wrong)
		}
	}
}

func TestSummariesLag(t *testing.T) {
	e := env()
	e.Summarized = at().Add(-2 * time.Minute)
	for option, want := range map[string]string{"": "4", "summariesonly=f": "4", "summariesonly=t": "2", "summariesonly=true allow_old_summaries=t": "2"} {
		if got := lines(run(t, e, "| tstats "+option+" count from datamodel=Network_Traffic")); got != want {
			t.Errorf("%s: %s, want %s", option, got, want)
		}
	}
	e.Summarized = time.Time{}
	if got := lines(run(t, e, "| tstats summariesonly=t count from datamodel=Network_Traffic")); got != "0" {
		t.Errorf("a model that is not accelerated has %s in its summaries", got)
	}
}

// TestSortGivesTenThousand: the search reference has 10,000 rows where no number is said.
func TestSortGivesTenThousand(t *testing.T) {
	e := env()
	for i := range 10_500 {
		e.Events = append(e.Events, seen(time.Minute, "src", fmt.Sprint(i)))
	}
	for command, want := range map[string]int{"sort src": 10_000, "sort 0 src": 10_504, "sort 3 src": 3} {
		if got := len(run(t, e, "| from datamodel:Network_Traffic | "+command).Rows); got != want {
			t.Errorf("%s gives %d rows, want %d", command, got, want)
		}
	}
}

func TestZoneOfTheUser(t *testing.T) {
	e := env()
	e.Zone = time.FixedZone("", -5*3600)
	got := lines(run(t, e, "| tstats count from datamodel=Network_Traffic by _time span=1d"))
	if got != "2026-03-02T00:00:00.000-05:00,4" {
		t.Errorf("the days of a user in UTC-5 are %s", got)
	}
	if r := run(t, e, "| tstats count from datamodel=Network_Traffic where earliest=03/02/2026:04:50:00"); lines(r) != "3" {
		t.Errorf("a time without a zone is read as %s", r.Earliest)
	}
}

// TestWhatIsCounted: events that were read and those that were found are told apart.
func TestWhatIsCounted(t *testing.T) {
	r := run(t, env(), "| tstats count from datamodel=Network_Traffic where All_Traffic.dvc=fw2")
	if r.Scanned != 4 || r.Matched != 1 || !r.Transforms || !slices.Equal(r.Fields, []string{"count"}) {
		t.Errorf("scanned %d, matched %d, transforms %v, fields %v", r.Scanned, r.Matched, r.Transforms, r.Fields)
	}
}
