package workflows_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// parlour is a messenger with a pace of its own, in which people answer.
type parlour struct {
	*memory.Estate
	now  func() time.Time
	rest time.Duration
	mu   sync.Mutex
	// writes are the times of every write by what it was.
	writes  []write
	replies []string
	// accounts are those it vouches for, with their groups.
	accounts map[string][]string
	onCall   []integrations.Account
}

type write struct {
	at                  time.Time
	op, channel, thread string
}

func (p *parlour) note(op, channel, thread string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, write{p.now(), op, channel, thread})
}

func (p *parlour) Post(ctx context.Context, m integrations.Message) (incident.Receipt, error) {
	r, err := p.Estate.Post(ctx, m)
	r.Rest = p.rest
	if err == nil {
		p.note("post", m.Channel, m.Thread)
	}
	return r, err
}

func (p *parlour) Update(ctx context.Context, r incident.Receipt, m integrations.Message) (incident.Receipt, error) {
	r, err := p.Estate.Update(ctx, r, m)
	r.Rest = p.rest
	if err == nil {
		p.note("update", m.Channel, "")
	}
	return r, err
}

func (p *parlour) Identify(_ context.Context, c integrations.Click, groups []string) (integrations.Account, error) {
	in, ok := p.accounts[c.User]
	if !ok {
		return integrations.Account{}, integrations.Errorf(integrations.Denied, "identify "+c.User, "%s is a guest", c.User)
	}
	in = slices.DeleteFunc(slices.Clone(in), func(g string) bool { return !slices.Contains(groups, g) })
	return integrations.Account{User: c.User, Groups: in}, nil
}

// Listen and Handler are no part of a rehearsal: clicks are workflows already.
func (p *parlour) Listen(context.Context, integrations.Desk) error { return nil }

func (p *parlour) Handler(integrations.Desk) http.Handler { return nil }

func (p *parlour) Reply(_ context.Context, c integrations.Click, text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replies = append(p.replies, c.User+": "+text)
	return nil
}

func (p *parlour) OnCall(context.Context, integrations.OnCallQuery) ([]integrations.Account, error) {
	return p.onCall, nil
}

// people implements [activities.People]: the account u-x is the person x.
type people struct{}

func (people) Vouch(context.Context, string, []string) []string { return nil }

func (people) Bind(_ string, a integrations.Account) (incident.Person, error) {
	id, ok := strings.CutPrefix(a.User, "u-")
	if !ok {
		return incident.Person{}, integrations.Errorf(integrations.Denied, "find "+a.User, "account %s is nobody of stanch.yaml", a.User)
	}
	return incident.Person{ID: id}, nil
}

// furnish puts a parlour in the place of a messenger.
func (w *world) furnish(name string, rest time.Duration) *parlour {
	p := &parlour{Estate: w.estate, now: w.Now, rest: rest, accounts: map[string][]string{
		"u-alice": {"sec-oncall"}, "u-bob": {"sec-oncall"}, "u-mallory": nil, "eve": {"sec-oncall"},
	}}
	w.set.Add(name, integrations.Spec{Kind: "parlour"}, p)
	w.activities.People = people{}
	return p
}

// addFlooding adds a workstation that floods name servers, and of which the
// inventory knows nothing.
func (w *world) addFlooding(id, ip string) {
	w.t.Helper()
	err := w.estate.AddHost(memory.Host{
		ID: id, Name: id, IPs: []string{ip}, OS: "windows", Role: "workstation",
		Processes: []memory.Process{{
			Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Name: "powershell.exe", PID: 7316, Signed: true,
			Streams: []memory.Stream{
				{Destinations: []string{"203.0.113.10"}, DstPort: 443, Transport: "tcp", BitsOut: 60_000, BitsIn: 90_000, From: -15 * 24 * time.Hour},
				{Destinations: []string{"198.51.100.1", "198.51.100.2"}, DstPort: 53, Transport: "udp", BitsOut: 40_000_000, PacketBytes: 72, From: -10 * time.Minute},
			},
		}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestTheCardShowsHowTheCaseStands(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	var states []integrations.CardState
	for _, at := range []time.Duration{time.Minute, 4 * time.Minute, 4*time.Hour + 5*time.Minute} {
		w.At(at, func() {
			for _, sent := range w.told("/question/") {
				states = append(states, sent.Message.Card.State)
			}
		})
	}
	w.run(5 * time.Hour)
	want := []integrations.CardState{integrations.CardAsking, integrations.CardEffective, integrations.CardGivenBack}
	if !slices.Equal(states, want) {
		t.Errorf("the card showed %v, want %v", states, want)
	}
	card := w.told("/question/")[0].Message.Card
	if votes := card.Question.Votes; len(votes) != 1 || votes[0].Person != "alice" || !strings.Contains(card.Title, "solate ws-042") {
		t.Errorf("in the end the card is %q with the votes %+v", card.Title, votes)
	}
}

func TestAQuestionThatDoesNotArriveIsAskedElsewhere(t *testing.T) {
	t.Parallel()
	w, id := asked(t, "remind_after: 5m", "remind_after: 5m\n    fallback: { after: 20s, ask: [{ pager: sec }, { hook: ops }] }")
	var elsewhere []*memory.Estate
	for _, name := range []string{"pager", "hook"} {
		estate, err := memory.New(memory.Options{Now: w.Now})
		if err != nil {
			t.Fatal(err)
		}
		if name == "pager" {
			estate.Fail("post", down(), -1)
		}
		w.set.Add(name, integrations.Spec{Kind: "memory"}, estate)
		elsewhere = append(elsewhere, estate)
	}
	w.estate.Fail("post", down(), -1)
	w.vote(3*time.Minute, id, &ballot{who: alice()})
	w.run(time.Hour)
	hook := elsewhere[1].Messages()
	if len(hook) != 1 || hook[0].Message.Card == nil || hook[0].At.Sub(start) > time.Minute {
		t.Fatalf("the last place was sent %+v", hook)
	}
	if notes := w.see(id).Approvals[0].Notes; len(notes) < 2 || !strings.Contains(notes[0], "asked in pager sec") || !strings.Contains(notes[1], "asked in hook ops") {
		t.Errorf("the question says %q", notes)
	}
	w.contained(incident.Isolate, 1, 0)
}

func TestAMessengerThatIsDownApprovesNothing(t *testing.T) {
	t.Parallel()
	w, id := asked(t, "remind_after: 5m", "remind_after: 5m\n    fallback: { after: 20s, ask: [{ slack: '#elsewhere' }] }")
	w.estate.Fail("post", down(), -1)
	w.run(3 * time.Hour)
	w.ended(id, incident.OutcomeExpired)
	w.contained(incident.Isolate, 0, 0)
}

func TestAStormIsOneDigestWithAThread(t *testing.T) {
	t.Parallel()
	const cases = 30
	w := newWorld(t, memory.Flood, "high-egress-windows", "do:\n      - throttle\n", "do:\n", "remind_after: 5m\n    expire_after: 15m", "expire_after: 15m")
	p := w.furnish("slack", time.Second)
	for i := range cases {
		host := fmt.Sprintf("ws-2%02d", i)
		w.addFlooding(host, fmt.Sprintf("10.20.7.%d", i+1))
		a := alertFor(host, fmt.Sprintf("10.20.7.%d", i+1))
		id := w.pin.Name + "/" + host
		if err := w.StartCase(workflows.CaseInput{ID: id, Subject: host, Pin: w.pin, Alerts: []incident.Alert{a}}); err != nil {
			t.Fatal(err)
		}
	}
	w.run(10 * time.Minute)
	top, threads := 0, map[string]int{}
	writes := slices.DeleteFunc(p.writes, func(w write) bool { return w.channel != "#sec-oncall" })
	for i, one := range writes {
		if i > 0 && one.at.Sub(writes[i-1].at) < time.Second {
			t.Errorf("write %d (%s) came %s after the one before", i, one.op, one.at.Sub(writes[i-1].at))
		}
		switch {
		case one.op != "post":
		case one.thread == "":
			top++
		default:
			threads[one.thread]++
		}
	}
	if top > 8 || len(threads) != 1 {
		t.Errorf("%d messages stand in the channel itself, threads are %v", top, threads)
	}
	digest := w.told("#sec-oncall", "Many cases at once", fmt.Sprintf("%d wait", cases-top+1))
	if len(digest) != 1 || len(digest[0].Message.Lines) == 0 {
		t.Errorf("the digest is %+v of %d", digest, len(w.told("#sec-oncall", "Many cases at once")))
	}
	if asked := w.told("/question/"); len(asked) != cases {
		t.Errorf("%d of %d questions are shown", len(asked), cases)
	}
	for i := range cases {
		c := w.see(fmt.Sprintf("%s/ws-2%02d", w.pin.Name, i))
		for _, s := range c.Shown {
			if s.At.IsZero() || s.At.Sub(start) > time.Minute {
				t.Errorf("case %d: the %s arrived at %s", i, s.Kind, s.At)
			}
		}
	}
}

func TestClicksAreAnswered(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	p := w.furnish("slack", 0)
	click := func(after time.Duration, user string, approve bool, edit func(*integrations.Click)) {
		w.At(after-time.Second, func() {
			c := integrations.Click{
				ID: after.String() + user, Use: "slack", User: user, Case: id, Approval: "on-call",
				PlanDigest: w.see(id).Approvals[0].PlanDigest, Approve: approve, Groups: []string{"sec-oncall"}, At: w.Now(),
			}
			if edit != nil {
				edit(&c)
			}
			if err := w.StartAt(time.Second, protocol.ClickWorkflow, protocol.ClickWorkflowID(c), protocol.ClickInput{Click: c}); err != nil {
				t.Error(err)
			}
		})
	}
	click(60*time.Second, "guest", true, nil)
	click(65*time.Second, "eve", true, nil)
	click(70*time.Second, "u-mallory", true, nil)
	click(72*time.Second, "u-alice", true, func(c *integrations.Click) { c.Groups = nil })
	click(75*time.Second, "u-alice", true, func(c *integrations.Click) { c.PlanDigest = "sha256:other" })
	click(80*time.Second, "u-alice", true, func(c *integrations.Click) { c.Case = "high-egress-windows/nobody" })
	click(90*time.Second, "u-alice", true, nil)
	click(95*time.Second, "u-alice", true, nil)
	click(99*time.Second, "u-bob", false, nil)
	w.run(10 * time.Minute)
	want := []string{
		"guest: Not counted (unknown_person)", "eve: Not counted (unknown_person)", "u-mallory: Not counted (not_an_approver)",
		"u-alice: Not counted (not_an_approver)", "u-alice: Not counted (plan_changed)", "u-alice: Not counted (no_open_case)",
		"u-alice: Not counted (not_pending)", "u-bob: Not counted (not_pending)",
	}
	if len(p.replies) != len(want) {
		t.Fatalf("people were told %q", p.replies)
	}
	for i := range want {
		if !strings.HasPrefix(p.replies[i], want[i]) {
			t.Errorf("reply %d is %q, want %q…", i, p.replies[i], want[i])
		}
	}
	votes := w.see(id).Approvals[0].Votes
	if len(votes) != 1 || votes[0].Person.ID != "alice" || votes[0].Person.Via != "slack" || votes[0].Click == "" {
		t.Errorf("the votes are %+v", votes)
	}
	if n := len(happened(w.see(id), incident.EvVoted)); n != 1 {
		t.Errorf("the timeline tells of %d votes", n)
	}
	w.contained(incident.Isolate, 1, 0)
}

func TestWhoIsOnCallIsAsked(t *testing.T) {
	t.Parallel()
	const rota = "approvers: { on_call: { use: pager, policy: P1, level: 2, otherwise: sec-leads } }"
	for name, c := range map[string]struct {
		onCall  []integrations.Account
		voter   incident.Person
		counted bool
		note    string
	}{
		"somebody is":        {[]integrations.Account{{User: "u-carol"}}, person("carol"), true, "level 2: carol"},
		"not this one":       {[]integrations.Account{{User: "u-carol"}}, person("dave", "sec-leads"), false, "level 2: carol"},
		"nobody is":          {nil, person("dave", "sec-leads"), true, "group sec-leads is asked"},
		"nobody of the team": {[]integrations.Account{{User: "stranger"}}, person("dave", "sec-leads"), true, "none of those on call (1) is in stanch.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := asked(t, "approvers: { slack_group: sec-oncall }", rota)
			w.furnish("pager", 0).onCall = c.onCall
			yes := &ballot{who: c.voter}
			w.vote(2*time.Minute, id, yes)
			w.run(10 * time.Minute)
			if yes.counted != c.counted {
				t.Errorf("the vote counts: %v (%v)", yes.counted, yes.refused)
			}
			if notes := w.see(id).Approvals[0].Notes; len(notes) == 0 || !strings.Contains(notes[0], c.note) {
				t.Errorf("the question says %q, want %q", notes, c.note)
			}
		})
	}
}

func TestWhoRaisedItOrWroteThePlaybookIsExcluded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "owner:", "authors: [bob]\nowner:", "    quorum: 1", "    quorum: 1\n    exclude: [raiser, author]")
	roleUnknown(t, w.estate)
	a := alertFor("ws-042", "10.20.4.42")
	a.RaisedBy = incident.Known("alice", incident.FromAlert)
	id := w.open(a)
	raiser, author, other := &ballot{who: alice()}, &ballot{who: person("bob", "sec-oncall")}, &ballot{who: person("carol", "sec-oncall")}
	w.vote(time.Minute, id, raiser)
	w.vote(2*time.Minute, id, author)
	w.vote(3*time.Minute, id, other)
	w.run(10 * time.Minute)
	if raiser.counted || author.counted || !other.counted {
		t.Errorf("counted: who raised it %v, who wrote it %v, another %v", raiser.counted, author.counted, other.counted)
	}
}

func TestWhatStandsIsToldOnceADay(t *testing.T) {
	t.Parallel()
	w, id := asked(t, "ttl: 1h", "ttl: 30h")
	w.activities.Leases = func(context.Context) ([]incident.Lease, bool, error) {
		target, err := incident.DeviceTarget("ws-042", "ws-042")
		return []incident.Lease{{
			ID: "lease/rate_limit/gateway/ws-042", Order: incident.Order{Action: incident.RateLimit, Target: target},
			Holders: []incident.Holder{{Case: protocol.CaseWorkflowID(id)}}, ConfirmedAt: start, Until: start.Add(30 * time.Hour),
		}}, false, err
	}
	in := protocol.DailyInput{Use: "slack", Channel: "#sec", At: "09:00", Zone: "Europe/Berlin"}
	if err := w.StartAt(time.Minute, protocol.DailyWorkflow, protocol.DailyWorkflow, in); err != nil {
		t.Fatal(err)
	}
	w.run(30 * time.Hour)
	told := w.told("#sec", "Standing: 1")
	if len(told) != 2 {
		t.Fatalf("people were told %d times, want once a day", len(told))
	}
	// Nine in the morning of Berlin's winter.
	if at := told[0].At; at.UTC().Hour() != 8 || at.Minute() != 0 {
		t.Errorf("they were told at %s", at)
	}
	first, second := told[0].Message, told[1].Message
	if !strings.Contains(first.Lines[0], "rate limit ws-042") || !strings.Contains(first.Lines[0], "verified") || !strings.Contains(first.Title, "ending today: 0") {
		t.Errorf("the first day they were told %q %q", first.Title, first.Lines)
	}
	if !strings.Contains(second.Title, "ending today: 1") {
		t.Errorf("the second day they were told %q", second.Title)
	}
}
