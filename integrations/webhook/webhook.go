// Package webhook posts messages to a team's own receiver: every message is a
// signed JSON document that is posted to one address. The document's shape is
// stable; it is documented with its types in document.go.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SignatureHeader carries the signature, in the scheme of signed alerts:
// t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "t.body">. A receiver compares
// in constant time, and refuses a t that is more than five minutes off.
const SignatureHeader = "Stanch-Signature"

// IdempotencyHeader carries the request's identity: requests with the same value
// are one request, however often it arrives.
const IdempotencyHeader = "Idempotency-Key"

const (
	minSecret = 16
	maxKey    = 255
)

// Config is the receiver's part of stanch.yaml.
type Config struct {
	// URL is a secret because the paths of many receivers are.
	URL      integrations.Secret `yaml:"url,required" doc:"Address of the receiver, https://…."`
	Secret   integrations.Secret `yaml:"secret,required" doc:"Shared secret with which requests are signed, 16 bytes or more."`
	CA       string              `yaml:"ca" path:"" doc:"PEM file of authorities that are trusted in addition to the system's."`
	Networks []netip.Prefix      `yaml:"allow_networks" doc:"Networks that are not public and that the receiver may be in, such as 10.20.0.0/16. None: a receiver whose name resolves to a loopback, private or link-local address is not connected to."`
	Insecure bool                `yaml:"insecure_http" doc:"Allow an address that begins with http://, if it is on this machine."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "webhook",
		Summary:    "Messages, and what becomes of alerts, as signed JSON to a receiver of the team's own.",
		Implements: (*Webhook)(nil),
		Actions:    []incident.Action{incident.Notify},
		Permissions: []integrations.Permission{
			{Name: "POST to the address", Why: "every message, every change of one, and every reply to an alert, is a request"},
		},
		Example:   "desk: { kind: webhook, url: 'https://desk.example/stanch', secret_file: /run/secrets/desk, allow_networks: [10.20.0.0/16] }",
		NewConfig: func() any { return &Config{} },
		Open:      integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return open(*c) }),
	}
}

// Webhook is one receiver. It is safe for concurrent use.
type Webhook struct {
	url, origin string
	secret      integrations.Secret
	http        *httpx.Client
	now         func() time.Time
}

func open(c Config) (*Webhook, error) {
	u, err := parseAddress(c.URL.Reveal(), c.Insecure)
	if err != nil {
		return nil, invalid("open webhook", "%w", err)
	}
	if len(c.Secret) < minSecret {
		return nil, invalid("open webhook", "the secret is shorter than %d bytes", minSecret)
	}
	allow := c.Networks
	if u.Scheme == "http" {
		allow = loopback()
	}
	client, err := httpx.New(httpx.Options{CA: c.CA, Guard: true, Allow: allow})
	if err != nil {
		return nil, invalid("open webhook", "%w", err)
	}
	return &Webhook{url: c.URL.Reveal(), origin: u.Scheme + "://" + u.Host, secret: c.Secret, http: client, now: time.Now}, nil
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8), netip.PrefixFrom(netip.IPv6Loopback(), 128)}
}

// parseAddress accepts https, and http to this machine where that is allowed. Its
// errors do not quote the address.
func parseAddress(address string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("url is not an address such as https://desk.example/stanch")
	case u.User != nil:
		return nil, errors.New("url has a user or a password: requests are signed, and need neither")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme != "http":
		return nil, errors.New("url does not begin with https://")
	case !insecure:
		return nil, errors.New("url begins with http://, and insecure_http is not set")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, errors.New("url begins with http://, and is not on this machine: other machines need https://")
	}
	return u, nil
}

// Circuit implements [integrations.Breaker].
func (w *Webhook) Circuit() integrations.Circuit { return w.http.Circuit() }

// Close closes the connections.
func (w *Webhook) Close() error { return w.http.Close() }

// Probe implements [integrations.Prober]. Nothing is sent.
func (w *Webhook) Probe(ctx context.Context) []integrations.Finding {
	if err := w.http.Connect(ctx, "probe the receiver", w.url); err != nil {
		return []integrations.Finding{{
			What: err.Error(),
			Fix:  "check the address and its certificate; ca names an authority of your own, allow_networks a network that is not public",
		}}
	}
	return []integrations.Finding{{What: "the receiver at " + w.origin + " can be connected to", OK: true}}
}

// Post implements [integrations.Messenger]. The receiver recognises a repeated
// message by its Idempotency-Key: the message's key, or its digest where a
// header cannot hold that.
func (w *Webhook) Post(ctx context.Context, m integrations.Message) (incident.Receipt, error) {
	op := fmt.Sprintf("post message %q to %q", m.Key, m.Channel)
	if m.Key == "" || m.Channel == "" {
		return incident.Receipt{}, invalid(op, "the message needs a key and a channel")
	}
	return w.send(ctx, op, requestOf(describe(eventPost, m)))
}

// Update implements [integrations.Updater]. The document names the message by
// the key that it was posted with. A receiver that does not have it answers
// 404 or 410.
func (w *Webhook) Update(ctx context.Context, r incident.Receipt, m integrations.Message) (incident.Receipt, error) {
	op := fmt.Sprintf("bring message %q up to date", r.Ref)
	if r.Ref == "" {
		return incident.Receipt{}, invalid(op, "the receipt is not of a webhook")
	}
	m.Key = r.Ref
	return w.send(ctx, op, requestOf(describe(eventUpdate, m)))
}

// request is a document to be posted.
type request struct {
	document   any
	event, key string
}

func requestOf(d document) request { return request{document: d, event: d.Event, key: d.Key} }

// send posts a document. A message is one request by its key; each change of it
// is a request of its own, by its key and its content.
func (w *Webhook) send(ctx context.Context, op string, r request) (incident.Receipt, error) {
	body, err := json.Marshal(r.document)
	if err != nil {
		return incident.Receipt{}, invalid(op, "encode the message: %w", err)
	}
	identity := identityOf(r.key)
	if r.event == eventUpdate {
		identity += "/" + incident.DigestOf(body)
	}
	at := w.now()
	_, err = w.http.Do(ctx, httpx.Request{
		Op: op, Method: http.MethodPost, URL: w.url, Body: body, Write: true,
		Header: http.Header{
			"Content-Type":    {"application/json"},
			httpx.EventHeader: {r.event},
			IdempotencyHeader: {identity},
			SignatureHeader:   {httpx.Signature(w.secret, at, body)},
		},
	})
	if err != nil {
		return incident.Receipt{}, err
	}
	return incident.Receipt{Ref: r.key, At: at.UTC()}, nil
}

// identityOf is a message's key as a header can hold it.
func identityOf(key string) string {
	if len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return key
	}
	return incident.DigestOf([]byte(key))
}

func invalid(op, format string, args ...any) error {
	return integrations.Errorf(integrations.Invalid, op, format, args...)
}
