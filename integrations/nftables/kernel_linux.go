package nftables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// kernel is the table of this machine. It remembers nothing: what stands is read each time.
type kernel struct {
	netns string
	most  int
	// one lets one change at a time of ours try; others, and other processes, are found
	// by the generation.
	one sync.Mutex
}

// openKernel returns the table in the network namespace of a path, empty for our own, which
// may hold so many limits.
func openKernel(netns string, most int) (table, error) { return &kernel{netns: netns, most: most}, nil }

// List implements table.
func (k *kernel) List(ctx context.Context, of *Scope) ([]Limit, error) {
	var all []Limit
	err := k.with(ctx, "list the limits", of, func(s *state) (*batch, error) {
		standing, err := s.standing(of)
		all = nil
		for _, l := range standing {
			all = append(all, l.Limit)
		}
		return nil, err
	}, false)
	return all, err
}

// Put implements table.
func (k *kernel) Put(ctx context.Context, l Limit) (Limit, error) {
	k.one.Lock()
	defer k.one.Unlock()
	result, untidy := l, false
	err := k.with(ctx, "put "+l.text(), &l.Scope, func(s *state) (*batch, error) {
		untidy = s.untidy()
		b, stands, err := s.put(l, k.most)
		result = stands
		return b, err
	}, false)
	if err == nil && untidy {
		k.tidy(ctx)
	}
	return result, err
}

// Check implements table.
func (k *kernel) Check(ctx context.Context, l Limit) error {
	if l.Key == "" {
		l.Key = "check"
	}
	l.Left = max(l.Left, time.Minute)
	return k.with(ctx, "check "+l.text(), &l.Scope, func(s *state) (*batch, error) {
		b, _, err := s.put(l, k.most)
		return b, err
	}, true)
}

// Delete implements table.
func (k *kernel) Delete(ctx context.Context, l Limit) (bool, error) {
	k.one.Lock()
	defer k.one.Unlock()
	there, untidy := false, false
	err := k.with(ctx, "delete "+l.text(), &l.Scope, func(s *state) (*batch, error) {
		untidy = s.untidy()
		b, found, err := s.take(l)
		there = found
		return b, err
	}, false)
	if err == nil && untidy {
		k.tidy(ctx)
	}
	return there, err
}

func (l Limit) text() string {
	text := fmt.Sprintf("%s of %v", l.Action, l.Addresses)
	if l.Filter != nil {
		text += " " + l.Filter.String()
	}
	return text
}

// with reads the table and has the kernel do what follows from it, unless something was
// changed in between: then it begins anew.
func (k *kernel) with(ctx context.Context, op string, of *Scope, decide func(*state) (*batch, error), dry bool) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		if err := context.Cause(ctx); err != nil {
			return integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		err := k.try(ctx, of, decide, dry)
		switch {
		case err == nil:
			return nil
		case !again(err) || wait > time.Second:
			return fault(op, err)
		}
		pause.Reset(wait)
	}
}

// again reports whether an error says that the table was another one than the one that was
// read: also when what has expired, and so is not listed, is not yet cleared away.
func again(err error) bool {
	if _, judged := errors.AsType[*integrations.Error](err); judged {
		return false
	}
	return slices.ContainsFunc([]error{unix.ERESTART, unix.EBUSY, unix.EEXIST, unix.ENOENT}, func(e error) bool { return errors.Is(err, e) })
}

func (k *kernel) try(ctx context.Context, of *Scope, decide func(*state) (*batch, error), dry bool) error {
	conn, err := dial(ctx, k.netns)
	if err != nil {
		return fault("", err)
	}
	defer func() { _ = conn.Close() }()
	s, err := read(conn, of)
	if err != nil {
		return err
	}
	if s.there && !s.ours() {
		return integrations.Refuse(integrations.Denied, "", "there is a table inet %s that is not ours: chain %s lacks our mark", tableName, aboutChain)
	}
	b, err := decide(s)
	if err != nil || b == nil {
		return err
	}
	return b.send(conn, s.since, dry)
}

// fault is the error of an operation, in one of the closed kinds.
func fault(op string, err error) error {
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		e.Op = op
		return e
	}
	for _, f := range []struct {
		is   error
		kind integrations.Kind
		why  string
	}{
		{unix.EPERM, integrations.Denied, "CAP_NET_ADMIN is needed"},
		{unix.EACCES, integrations.Denied, "the network namespace may not be opened"},
		{unix.EPROTONOSUPPORT, integrations.Unavailable, "the kernel has no nftables"},
		{unix.EOPNOTSUPP, integrations.Unavailable, "the kernel's nftables lack something"},
		{unix.EINVAL, integrations.Unavailable, "the kernel's nftables lack something"},
		{unix.ERESTART, integrations.Conflict, "others keep changing the gateway's rules"},
		{unix.EBUSY, integrations.Conflict, "something in the table is in use"},
		{unix.EEXIST, integrations.Conflict, "something in the table is there already"},
		{os.ErrDeadlineExceeded, integrations.Ambiguous, "the kernel did not answer"},
	} {
		if errors.Is(err, f.is) {
			return integrations.Errorf(f.kind, op, "%s: %w", f.why, err)
		}
	}
	return integrations.Errorf(integrations.Unavailable, op, "%w", err)
}

// put is what is to be changed for a limit, nil where nothing is, and what stands then.
func (s *state) put(l Limit, most int) (*batch, Limit, error) {
	mine, others, err := s.split(l)
	if err != nil {
		return nil, l, err
	}
	if len(others) > 0 {
		if why := others[0].lacks(l); why != "" {
			return nil, l, integrations.Refuse(integrations.Conflict, "", "%v is held by %q already, %s", others[0].Addresses, others[0].Key, why)
		}
		return nil, others[0].Limit, nil
	}
	name := l.chainName()
	if mine == nil {
		if n := s.count(onlyCounts(l.Action)); n >= most {
			return nil, l, integrations.Refuse(integrations.Denied, "", "the table is full: it holds %d %s", n, plural(l.Action))
		}
		mine = &standing{Limit: Limit{Scope: Scope{Action: l.Action, Filter: l.Filter}, Key: l.Key}, chain: name}
	}
	l.Counters = mine.Counters
	if mine.Rate > 0 {
		l.Rate = min(l.Rate, mine.Rate)
	}
	b := &batch{}
	if err := s.build(b, l, *mine); err != nil {
		return nil, l, err
	}
	if len(b.messages) == 0 {
		return nil, mine.Limit, nil
	}
	l.Rate -= l.Rate % 8
	l.Left = max(l.Left, mine.Left)
	return b, l, nil
}

// lacks says what another's limit lacks so that it is as good as the one that is asked for;
// empty where it is.
func (l Limit) lacks(asked Limit) string {
	switch {
	case !l.covers(asked.Scope):
		return fmt.Sprintf("but not all of %v", asked.Addresses)
	case l.Problem != "":
		return "without effect: " + l.Problem
	case asked.Action == incident.RateLimit && l.Rate > asked.Rate:
		return "at " + incident.FormatRate(l.Rate)
	}
	return ""
}

// split is what of a scope is held by the key, and what by others. A chain whose rules, and
// with them the key, were taken away by hand is known by its name.
func (s *state) split(l Limit) (mine *standing, others []standing, err error) {
	held, err := s.standing(&l.Scope)
	for _, h := range held {
		if mine == nil && isOurs(h.chain) && (h.Key == l.Key || h.Key == "" && h.chain == l.chainName()) {
			mine = &h
			continue
		}
		others = append(others, h)
	}
	return mine, others, err
}

func plural(a incident.Action) string {
	if onlyCounts(a) {
		return "rules that only count"
	}
	return "limits"
}

// count is how many limits there are, whoever made them, or how many rules that only count.
// Neither takes room from the other.
func (s *state) count(counting bool) int {
	chains := map[string]bool{}
	for name, m := range s.maps {
		if shape, ok := shapeNamed(name); (ok && onlyCounts(shape.action)) != counting {
			continue
		}
		for _, e := range m.elements {
			chains[e.chain] = true
		}
	}
	return len(chains)
}

// build puts into the batch what the table lacks of a limit.
func (s *state) build(b *batch, l Limit, mine standing) error {
	if !s.there {
		if err := b.addTable(); err != nil {
			return err
		}
	}
	name := hookOf(l.Action)
	hook := s.chains[name]
	switch {
	case s.dormant:
		return integrations.Refuse(integrations.Denied, "", "the table is dormant: somebody has switched it off")
	case hook == nil:
		b.addHook(name)
	case !hook.hooked:
		return integrations.Refuse(integrations.Denied, "", "chain %s is not at the hook %s: somebody has made it", name, hookChain)
	}
	places, err := l.places()
	if err != nil {
		return integrations.Errorf(integrations.Invalid, "", "%w", err)
	}
	if err := s.buildMaps(b, places); err != nil {
		return err
	}
	if err := s.buildChain(b, l, mine); err != nil {
		return err
	}
	for _, p := range places {
		left, there := s.left(p)
		if there && left >= l.Left-slack {
			continue
		}
		if there {
			// A kernel may keep the end of an element that is put in again.
			b.changeElement(unix.NFT_MSG_DELSETELEM, 0, p, "", 0)
		}
		b.changeElement(unix.NFT_MSG_NEWSETELEM, create, p, mine.chain, count(max(l.Left, shortest).Milliseconds()))
	}
	return nil
}

// buildMaps makes the maps that some places need, and the rules by which packets reach
// them.
func (s *state) buildMaps(b *batch, places []place) error {
	var done []shape
	for _, p := range places {
		if slices.Contains(done, p.shape) {
			continue
		}
		done = append(done, p.shape)
		if s.maps[p.shape.name()] == nil {
			b.addMap(p.shape, uint32(len(done))) //nolint:gosec // At most as many as there are shapes.
		}
		if s.unreached(p.shape) == "" {
			continue
		}
		for _, r := range s.chains[p.shape.hook()].lookupsOf(p.shape) {
			b.deleteRule(p.shape.hook(), r)
		}
		if err := b.addLookups(p.shape); err != nil {
			return err
		}
	}
	return nil
}

// buildChain makes the chain of a limit, or puts other rules into it.
func (s *state) buildChain(b *batch, l Limit, mine standing) error {
	c := s.chains[mine.chain]
	switch {
	case c == nil:
		b.addChain(mine.chain)
	case len(mine.Addresses) > 0 && mine.Rate == l.Rate-l.Rate%8 && c.whole(l):
		return nil
	default:
		b.add(unix.NFT_MSG_DELRULE, 0, textAttr(unix.NFTA_RULE_TABLE, tableName), textAttr(unix.NFTA_RULE_CHAIN, mine.chain))
	}
	for _, r := range l.ruleset() {
		if err := b.addRule(mine.chain, r, appended); err != nil {
			return err
		}
	}
	return nil
}

// left is for how long the element of a place stays, if there is one.
func (s *state) left(p place) (time.Duration, bool) {
	e := s.element(p)
	switch {
	case e == nil:
		return 0, false
	case e.left < 0:
		return forever, true
	}
	return e.left, true
}

// take is what is to be changed so that a limit of the key is gone, and whether there was
// one.
func (s *state) take(l Limit) (*batch, bool, error) {
	mine, _, err := s.split(l)
	if err != nil || mine == nil || l.Key == "" {
		return nil, false, err
	}
	places, err := mine.places()
	if err != nil {
		return nil, true, integrations.Errorf(integrations.Invalid, "", "%w", err)
	}
	b := &batch{}
	for _, p := range places {
		b.changeElement(unix.NFT_MSG_DELSETELEM, 0, p, "", 0)
		m := s.maps[p.shape.name()]
		m.elements = slices.DeleteFunc(m.elements, func(e elem) bool { return e.key == p.key })
	}
	s.sweep(b, func(chain string) bool { return chain == mine.chain })
	return b, true, nil
}
