// Package httpx is the HTTP client that integrations share. A call is one
// attempt: the engine waits and retries. The result is either an answer with a
// 2xx status or an integrations.Error of the kind that is right for the product,
// without anything in its text that could be a secret.
package httpx

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	defaultTimeout = 30 * time.Second
	defaultMaxBody = 4 << 20
	dialTimeout    = 10 * time.Second
	maxHeader      = 64 << 10
	maxRedirects   = 3
)

// Options are the settings of a client; zero values are the defaults named here.
type Options struct {
	// Timeout bounds a call from its first packet to the last byte of its
	// answer: 30 s.
	Timeout time.Duration
	// MaxBody bounds an answer after decompression, in bytes: 4 MiB.
	MaxBody int64
	// CA is a PEM file of authorities that are trusted in addition to the system's.
	CA string
	// Guard refuses to connect to any address that is not public, such as
	// loopback, private and link-local ones, unless it is in Allow. The address
	// is checked when it is dialled, after its name was resolved. The environment's
	// proxy is not used then: behind it nothing could be checked.
	Guard bool
	Allow []netip.Prefix
	// WaitHeader is the header, in addition to Retry-After, in which a 429 asks
	// to wait: for seconds, or until a time in seconds since 1970.
	WaitHeader string
}

// Client is safe for concurrent use.
type Client struct {
	// Writes get a fresh connection each: on one that was used before, net/http
	// sends some requests again when it breaks.
	reads, writes *http.Client
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	tls           *tls.Config
	timeout       time.Duration
	maxBody       int64
	waitHeader    string
	agent         string
}

// New returns a client. It fails when the CA file cannot be read or has no certificate.
func New(o Options) (*Client, error) {
	c := &Client{
		timeout: cmp.Or(o.Timeout, defaultTimeout), maxBody: cmp.Or(o.MaxBody, defaultMaxBody),
		waitHeader: o.WaitHeader, agent: agent(), tls: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if o.CA != "" {
		pool, err := authorities(o.CA)
		if err != nil {
			return nil, err
		}
		c.tls.RootCAs = pool
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	proxy := http.ProxyFromEnvironment
	if o.Guard {
		dialer.Control, proxy = newGuard(o.Allow).control, nil
	}
	c.dial = dialer.DialContext
	transport := &http.Transport{
		Proxy: proxy, DialContext: c.dial, TLSClientConfig: c.tls, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeader, IdleConnTimeout: dialTimeout,
	}
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	c.reads = &http.Client{Transport: Traced(transport), CheckRedirect: sameOrigin}
	c.writes = &http.Client{Transport: Traced(fresh), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Close closes the connections that wait for the next call.
func (c *Client) Close() error {
	c.reads.CloseIdleConnections()
	return nil
}

// agent names us and our version to products.
func agent() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "stanch/" + info.Main.Version
	}
	return "stanch"
}

func authorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read authorities: %q has no certificate in PEM form", path)
	}
	return pool, nil
}

// sameOrigin follows a redirect only to the origin that the credentials are for.
func sameOrigin(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if len(before) > maxRedirects || next.URL.Scheme != first.Scheme || !strings.EqualFold(next.URL.Host, first.Host) {
		return http.ErrUseLastResponse
	}
	return nil
}

// Request is one call.
type Request struct {
	// Op names the operation in errors. It must not contain a secret.
	Op     string
	Method string
	URL    string
	Header http.Header
	Body   []byte
	// Write reports whether the call changes something in the product: when its
	// answer is lost it may have been carried out. The method does not decide
	// this, for many products are read by POST.
	Write bool
}

// Answer is a product's answer. For a refusal it is returned with the error,
// for the code in its body; the text in there is the product's.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes the call, once.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := c.request(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	client := c.reads
	if r.Write {
		client = c.writes
	}
	res, err := client.Do(req)
	if err != nil {
		// Without a connection the call was not sent.
		return Answer{}, r.broken(req.URL, r.Write && connected.Load(), reason(err))
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBody+1))
	a := Answer{res.StatusCode, res.Header, body}
	if refused := c.refusal(r, req.URL, a); refused != nil {
		return a, refused
	}
	if err != nil {
		return a, r.broken(req.URL, r.Write, reason(err))
	}
	if int64(len(body)) > c.maxBody {
		return Answer{Status: a.Status, Header: a.Header}, r.broken(req.URL, r.Write, fmt.Errorf("the answer is longer than %d bytes", c.maxBody))
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	// The parser's error quotes the address, which may contain a password.
	if err != nil || req.URL.Host == "" || req.URL.Scheme != "https" && req.URL.Scheme != "http" {
		return nil, integrations.Errorf(integrations.Invalid, r.Op, "invalid method or address of the call")
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", c.agent)
	return req, nil
}

// Connect resolves and connects to where an address leads, up to TLS, and sends
// nothing.
func (c *Client) Connect(ctx context.Context, op, address string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, Request{Op: op, Method: http.MethodGet, URL: address})
	if err != nil {
		return err
	}
	port := req.URL.Port()
	if port == "" {
		port = req.URL.Scheme
	}
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(req.URL.Hostname(), port))
	if err != nil {
		return Request{Op: op}.broken(req.URL, false, reason(err))
	}
	defer func() { _ = conn.Close() }()
	if req.URL.Scheme == "http" {
		return nil
	}
	config := c.tls.Clone()
	config.ServerName = req.URL.Hostname()
	if err := tls.Client(conn, config).HandshakeContext(ctx); err != nil {
		return Request{Op: op}.broken(req.URL, false, reason(err))
	}
	return nil
}

// broken is the error of a call without a usable answer.
func (r Request) broken(u *url.URL, sent bool, err error) *integrations.Error {
	kind := lost(sent)
	if errors.Is(err, errNotPublic) {
		kind = integrations.Invalid
	}
	return integrations.Errorf(kind, r.Op, "%s: %w%s", origin(u), err, cureOf(u.Scheme, err))
}

// cureOf returns what to change where the two ends speak different protocols.
func cureOf(scheme string, err error) string {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case record, errors.Is(err, http.ErrSchemeMismatch):
		return ": the port does not speak TLS: write the port of https, or http"
	case scheme == "http" && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return ": it ended the connection without an answer: if this is a port of TLS, write https"
	default:
		return ""
	}
}

// lost is the kind of a call whose answer cannot be used.
func lost(write bool) integrations.Kind {
	if write {
		return integrations.Ambiguous
	}
	return integrations.Unavailable
}

// origin is the part of an address that is not secret: paths of webhooks, query
// strings and user information can be.
func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// reason is an error of the transport without anything that the other side or we
// sent.
func reason(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	_, network := errors.AsType[net.Error](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case network, cert, record, errors.Is(err, http.ErrSchemeMismatch), errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return errors.New("the exchange broke off")
}
