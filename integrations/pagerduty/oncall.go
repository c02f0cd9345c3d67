package pagerduty

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	pageSize = 100
	// maxEntries is how far PagerDuty lets lists be paged.
	maxEntries = 10_000
)

// OnCall implements [integrations.OnCall]. The policy is named by its id, such
// as PT20YPA.
func (p *PagerDuty) OnCall(ctx context.Context, q integrations.OnCallQuery) ([]integrations.Account, error) {
	op := fmt.Sprintf("ask who is on call by policy %q, level %d", q.Policy, q.Level)
	switch {
	case p.config.Token == "":
		return nil, invalid(op, "the integration has no token")
	case !isID(q.Policy):
		return nil, invalid(op, "invalid id of an escalation policy: it has letters and digits, such as PT20YPA")
	case q.Level < 1:
		return nil, invalid(op, "levels count from 1")
	}
	var rota []onCall
	for offset := 0; ; {
		query := url.Values{
			"escalation_policy_ids[]": {q.Policy}, "include[]": {"users"},
			"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)},
		}
		a, err := p.ask(ctx, op, "/oncalls?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		got, err := readPage(a.Body, q.Policy, offset)
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		rota = append(rota, got.OnCalls...)
		if !*got.More {
			break
		}
		offset = got.next()
	}
	if len(rota) == 0 {
		// An empty rota and an unknown policy look the same so far.
		if _, err := p.ask(ctx, op, "/escalation_policies/"+q.Policy, nil); err != nil {
			return nil, err
		}
	}
	accounts, err := p.accounts(rota, q.Level)
	if err != nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	return accounts, nil
}

// isID reports whether the id has the form of PagerDuty's. Nothing else may become
// part of an address.
func isID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// page is one page of the list of on-calls.
type page struct {
	OnCalls []onCall `json:"oncalls"`
	Limit   int      `json:"limit"`
	Offset  int      `json:"offset"`
	More    *bool    `json:"more"`
}

type onCall struct {
	Policy struct {
		ID string `json:"id"`
	} `json:"escalation_policy"`
	Level int `json:"escalation_level"`
	User  struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	} `json:"user"`
}

// next is the offset of the next page. PagerDuty may return smaller pages than
// requested, and reports their size.
func (p page) next() int { return p.Offset + p.Limit }

// readPage reads the page at an offset. A person on it may become an approver, so
// anything unexpected is an error: an answer for another policy, or one without an
// end.
func readPage(body []byte, policy string, offset int) (page, error) {
	var p page
	if err := httpx.Decode(body, &p); err != nil {
		return p, err
	}
	if p.OnCalls == nil || p.More == nil {
		return p, errors.New("the answer is not a page of on-calls")
	}
	for _, c := range p.OnCalls {
		if c.Policy.ID != policy {
			return p, errors.New("the answer is also about another policy")
		}
	}
	if *p.More && (p.Offset != offset || p.Limit < 1 || p.Limit > pageSize || p.next()+pageSize > maxEntries) {
		return p, fmt.Errorf("the list of on-calls cannot be read to its end, at %d", offset)
	}
	return p, nil
}

// accounts are those of a level, each once, sorted.
func (p *PagerDuty) accounts(rota []onCall, level int) ([]integrations.Account, error) {
	accounts := []integrations.Account{}
	for _, c := range rota {
		if c.Level != level {
			continue
		}
		if c.User.ID == "" {
			return nil, errors.New("the answer does not say who is on call")
		}
		a := integrations.Account{User: c.User.ID}
		if p.config.MatchEmail {
			a.Email = c.User.Email
		}
		accounts = append(accounts, a)
	}
	slices.SortFunc(accounts, func(a, b integrations.Account) int { return cmp.Compare(a.User, b.User) })
	return slices.CompactFunc(accounts, func(a, b integrations.Account) bool { return a.User == b.User }), nil
}
