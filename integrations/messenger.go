package integrations

import (
	"context"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Message is a message to people. Its fields are plain text and may hold the
// attacker's words: the integration must escape them for its product.
type Message struct {
	// Key identifies the message: the same key is one message.
	Key     string
	Channel string
	// Thread is the reference of the message under which it goes; empty: the
	// channel itself.
	Thread string
	// Mention is whom to mention, in the product's own form, from the playbook.
	Mention  string
	Severity string
	Title    string
	Lines    []string
	// URL leads people to a page about it; empty where there is none. API is the
	// address of the API for it, for programs with a token; empty where people have
	// not said by which address it is reached.
	URL string
	API string
	// Card is set when the message shows a case: then it is what is shown, and
	// Title and Lines are the same in short, for products without cards.
	Card *Card
}

// Messenger sends messages to people.
type Messenger interface {
	// Post delivers a message. It must be safe to repeat: the same key is
	// delivered once, as far as the product lets one look.
	Post(ctx context.Context, m Message) (incident.Receipt, error)
}

// Updater is a messenger whose messages can be changed after they were sent.
type Updater interface {
	// Update makes the message of a receipt show m. It must be
	// safe to repeat; a message that is gone is a not_found error.
	Update(ctx context.Context, r incident.Receipt, m Message) (incident.Receipt, error)
}

// Illustrator is a messenger that takes pictures.
type Illustrator interface {
	// Illustrate puts a chart under the message of a receipt. It
	// must be safe to repeat: the same key is one picture.
	Illustrate(ctx context.Context, r incident.Receipt, c Chart) (incident.Receipt, error)
}

// Chart is egress over time, with what is normal and what was done.
type Chart struct {
	Key   string
	Title string
	// Alt describes the chart in words.
	Alt string
	// Series is bytes sent per minute; people are shown rates.
	Series []incident.Point
	// Normal is the baseline's 95th percentile in bits per second; unknown
	// is not drawn.
	Normal incident.Value[int64]
	Marks  []ChartMark
}

// ChartMark is a moment worth seeing in a chart.
type ChartMark struct {
	At    time.Time
	Label string
}

// Click is an answer that a person gave in a messenger, as the product vouches
// for it. Who the person is and whether they may is decided later.
type Click struct {
	// ID identifies the interaction: one that is delivered again has the same.
	ID string `json:"id"`
	// Use is the integration's name in stanch.yaml.
	Use string `json:"use"`
	// User and Team are the product's ids of who clicked, Channel and Message
	// of where.
	User    string `json:"user"`
	Team    string `json:"team,omitempty"`
	Channel string `json:"channel,omitempty"`
	Message string `json:"message,omitempty"`
	// Case, Approval and PlanDigest are what the person was shown.
	Case       string `json:"case"`
	Approval   string `json:"approval"`
	PlanDigest string `json:"plan_digest"`
	Approve    bool   `json:"approve"`
	Reason     string `json:"reason,omitempty"`
	// Groups are the product's groups in which the card looks up membership. They say
	// where to look and not who may answer: a group that is not looked up has no members.
	Groups []string `json:"groups,omitempty"`
	// At is when it reached Stanch. Payload is the digest of it as received, for
	// the audit.
	At      time.Time `json:"at"`
	Payload string    `json:"payload,omitempty"`
}

// Account is a person as a product knows them. The configuration decides which
// of its persons that is.
type Account struct {
	// User is the product's id.
	User string `json:"user"`
	// Email is given only where the integration is configured to vouch for it.
	Email string `json:"email,omitempty"`
	// Groups are those of the requested groups that the account is in now.
	Groups []string `json:"groups,omitempty"`
}

// Desk receives the actions of people in a messenger.
type Desk interface {
	// Answer stores a click. When it returns without an error the click is
	// durable and will be answered; only then may it be acknowledged. The same
	// click again is stored once.
	Answer(ctx context.Context, c Click) error
	// Admit is nil where the one who clicked may read cases. One who may not gets a
	// denied error with the reason; no other error admits either.
	Admit(ctx context.Context, c Click) error
	// Case returns the state of the click's case, to one who is admitted.
	Case(ctx context.Context, c Click) (incident.Case, error)
}

// Answerable is a messenger in which people answer.
type Answerable interface {
	// Listen takes the product's interactions to the desk until the context
	// ends, and connects again by itself. It returns an error only when that is
	// hopeless: a credential that is refused.
	Listen(ctx context.Context, d Desk) error
	// Handler answers the product's signed requests, or is nil when the
	// integration is not configured for them.
	Handler(d Desk) http.Handler
	// Identify returns who clicked, and in which of the groups they are. A
	// bot, a guest, a deactivated account or one of another workspace is a denied error
	// the reason. What it remembers is at most 60 seconds old.
	Identify(ctx context.Context, c Click, groups []string) (Account, error)
	// Reply answers the person who clicked, visible to no one else.
	Reply(ctx context.Context, c Click, text string) error
}

// OnCallQuery asks who is on call by an escalation policy. Level counts from 1.
type OnCallQuery struct {
	Policy string
	Level  int
}

// OnCall knows who is on call.
type OnCall interface {
	// OnCall returns those who are on call now, each once, sorted by user; an
	// empty rota is an empty list, an unknown policy a not_found error.
	OnCall(ctx context.Context, q OnCallQuery) ([]Account, error)
}

// GroupUse is a messenger's group that a playbook uses.
type GroupUse struct {
	Group  string
	Quorum int
}

// UseChecker is a messenger that can check beforehand whether the channels and
// groups that playbooks name exist.
type UseChecker interface {
	// CheckUse looks at the channels and groups, without changing anything.
	CheckUse(ctx context.Context, channels []string, groups []GroupUse) []Finding
}
