package wazuh

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Our scripts on the agents, by the names that Wazuh is given. With ! it takes the name of a
// file in the agent's folder active-response\bin.
const (
	isolateCommand = "!stanch-isolate.cmd"
	killCommand    = "!stanch-kill.cmd"
	runCommand     = "!stanch-run.cmd"
)

// What is ordered.
const (
	verbIsolate = "isolate"
	verbRelease = "release"
	verbKill    = "kill"
	verbRun     = "run"
)

const (
	// carriedOutWithin is for how long an agent's script carries an order out: one that
	// comes later is refused there, by the agent's clock.
	carriedOutWithin = 10 * time.Minute
	// reportedWithin is until when the line of an order that was carried out must have come
	// to the index. Until then the order is open.
	reportedWithin = carriedOutWithin + 5*time.Minute
	// remembered is how long an order without a line is known to this process.
	remembered = 24 * time.Hour
	maxKey     = 256
	// maxOpen bounds the exceptions of one order: each makes ranges of rules.
	maxOpen = 64
	maxArgs = 2000
)

// order is what a script of ours gets. Agent is whom it is for: on any other it is refused,
// whatever the manager made of the list of agents. Number grows: an agent's script refuses
// an order that is older than one that it has carried out, so that it does not matter in
// which order two arrive. All are text, since Wazuh makes text of all values.
type order struct {
	Verb    string `json:"verb"`
	Agent   string `json:"agent"`
	Key     string `json:"key"`
	Number  string `json:"order"`
	Expires string `json:"expires"`
	// Open are the addresses and networks that an isolated machine still reaches, beside
	// its managers.
	Open []string `json:"open,omitempty"`
	// PID, Path and Started are those of the process that is ended; Path is in base64, for a
	// script may read what is not ASCII in another encoding.
	PID     string `json:"pid,omitempty"`
	Path    string `json:"path,omitempty"`
	Started string `json:"started,omitempty"`
	// Script is run with Args.
	Script string   `json:"script,omitempty"`
	Args   []string `json:"args,omitempty"`
}

// activeResponse is the body of an active response. Wazuh hands alert to the script.
type activeResponse struct {
	Command   string   `json:"command"`
	Arguments []string `json:"arguments"`
	Alert     struct {
		Data struct {
			Stanch order `json:"stanch"`
		} `json:"data"`
	} `json:"alert"`
}

// sentOrder is an order that was given to the manager, or may have been.
type sentOrder struct {
	order
	number int64
	at     time.Time
}

// sentOrders are those that this process sent. The manager keeps none, so that another
// process does not see what is under way: there is one writer for each lease.
type sentOrders struct {
	mu  sync.Mutex
	all map[agentID][]sentOrder
	// last is the last number that was given.
	last int64
}

// add numbers an order and remembers it. Numbers are times in milliseconds, so that those of
// other processes are in line.
func (s *sentOrders) add(id agentID, o order, now time.Time) order {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, now.UnixMilli())
	o.Agent, o.Number = string(id), strconv.FormatInt(s.last, 10)
	o.Expires = strconv.FormatInt(now.Add(carriedOutWithin).UnixMilli(), 10)
	if s.all == nil {
		s.all = map[agentID][]sentOrder{}
	}
	kept := slices.DeleteFunc(s.all[id], func(x sentOrder) bool { return now.Sub(x.at) > remembered })
	s.all[id] = append(kept, sentOrder{o, s.last, now})
	return o
}

// drop forgets an order that was not sent.
func (s *sentOrders) drop(id agentID, o order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[id] = slices.DeleteFunc(s.all[id], func(x sentOrder) bool { return x.Number == o.Number })
}

// unanswered are the orders of some kinds on an agent of which there is no line, the oldest
// first. An order is answered by its own line, and by that of a later one: after that it is
// refused.
func (s *sentOrders) unanswered(id agentID, lines []line, verbs ...string) []sentOrder {
	latest := int64(0)
	for _, l := range lines {
		if slices.Contains(verbs, l.verb) {
			latest = max(latest, l.order)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sentOrder
	for _, x := range s.all[id] {
		if slices.Contains(verbs, x.Verb) && x.number > latest {
			out = append(out, x)
		}
	}
	return out
}

// open reports whether an order may still be carried out, or have been carried out without
// its line having come.
func (o sentOrder) open(now time.Time) bool { return now.Sub(o.at) < reportedWithin }

// send gives an order to the manager, which sends it to the agent and tells no more than
// that. An order of which it is not certain that it was not sent stays remembered.
func (c *Client) send(ctx context.Context, op string, id agentID, command string, o order) (order, error) {
	o = c.sent.add(id, o, c.now())
	err := c.put(ctx, op, id, command, o)
	if err != nil && integrations.KindOf(err) != integrations.Ambiguous {
		c.sent.drop(id, o)
	}
	return o, err
}

// put is the one write. Without the id of exactly one agent it cannot be made: Wazuh takes
// none for all.
func (c *Client) put(ctx context.Context, op string, id agentID, command string, o order) error {
	body := activeResponse{Command: command, Arguments: []string{}}
	body.Alert.Data.Stanch = o
	r := httpx.Request{Op: op, Method: http.MethodPut, Write: true}
	out, _, err := ask[text](ctx, c.manager, r, "/active-response", url.Values{"agents_list": {string(id)}}, body)
	if err != nil {
		return err
	}
	items := out.Data.Items
	switch {
	case len(items) > 1 || out.Data.Total > 1:
		return integrations.Errorf(integrations.Ambiguous, op, "%d devices were affected, 1 was meant", max(len(items), out.Data.Total))
	case len(items) == 1 && items[0] != text(id):
		return integrations.Errorf(integrations.Ambiguous, op, "the order was sent to agent %s, and %s was meant", httpx.Quote(items[0]), id)
	case len(items) == 1:
		return nil
	}
	if err := out.failed(op); err != nil {
		return err
	}
	return integrations.Errorf(integrations.Ambiguous, op, "Wazuh does not say to which agent the order was sent")
}

// openOf are the exceptions of an order as the script reads them: networks with the
// length of their prefix. The script checks them again.
func openOf(op string, except []string) ([]string, error) {
	if len(except) > maxOpen {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d addresses stay open, at most %d are taken", len(except), maxOpen)
	}
	var open []string
	for _, text := range except {
		n, err := incident.NetworkOf(text)
		if err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		if n.Bits() == 0 {
			return nil, integrations.Errorf(integrations.Invalid, op, "network %s is every address: nothing would be cut off", n)
		}
		open = append(open, n.String())
	}
	return open, nil
}

// checkKey refuses a key that could not be found again.
func checkKey(op, key string) error {
	for i := range len(key) {
		// A quote or a backslash comes back from a log with another spelling.
		if key[i] <= ' ' || key[i] >= 0x7f || key[i] == '"' || key[i] == '\\' {
			return integrations.Errorf(integrations.Invalid, op, "invalid key %s: it has a blank, a quote, a backslash, or what is not ASCII", httpx.Quote(key))
		}
	}
	if key == "" || len(key) > maxKey {
		return integrations.Errorf(integrations.Invalid, op, "invalid key %s: it is empty or too long", httpx.Quote(key))
	}
	return nil
}

// reachable fails where the manager would not send an order to the agent. It keeps none for
// one that it does not hear.
func (a agent) reachable(op string) error {
	if !a.active() {
		return integrations.Errorf(integrations.Unavailable, op, "the device is offline (agent %s): Wazuh keeps no order for it, and nothing was sent", httpx.Quote(a.Status))
	}
	// An older agent gives the script no order to read.
	var major, minor int
	version := strings.Split(strings.TrimPrefix(strings.ToLower(string(a.Version)), "wazuh v"), ".")
	if len(version) >= 2 {
		major, _ = strconv.Atoi(version[0])
		minor, _ = strconv.Atoi(version[1])
	}
	if a.Version != "" && (major < 4 || major == 4 && minor < 2) {
		return integrations.Errorf(integrations.Invalid, op, "the agent is %s: only from 4.2 on scripts are given orders that they can read", httpx.Quote(a.Version))
	}
	return nil
}
