package httpx

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
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
	// Certificate and Key are PEM files by which the product recognises this client;
	// both or neither.
	Certificate, Key string
	// Proxy is the address of a proxy, with its user and password if it wants them:
	// http, https or socks5. None: that of the environment.
	Proxy integrations.Secret
	// Guard refuses to connect to any address that is not public, such as
	// loopback, private and link-local ones, unless it is in Allow. The address
	// is checked when it is dialled, after its name was resolved. The environment's
	// proxy is not used then: behind it nothing could be checked.
	Guard bool
	Allow []netip.Prefix
	// WaitHeader is the header, in addition to Retry-After, in which a 429 asks
	// to wait: for seconds, or until a time in seconds or milliseconds since 1970.
	WaitHeader string
	// Credentials name what to check where the product refuses them, in the words of its
	// configuration and of its console.
	Credentials string
	// Limits are how often the product may be asked. The calls of this client are
	// counted; one that would be too many is not sent, and is a throttled error. Other
	// processes have their shares: see [Client.Share].
	Limits []integrations.Limit
}

// Client is safe for concurrent use.
type Client struct {
	// Writes get a fresh connection each: on one that was used before, net/http
	// sends some requests again when it breaks.
	reads, writes *http.Client
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	tls           *tls.Config
	proxy         func(*http.Request) (*url.URL, error) // nil where there is none
	timeout       time.Duration
	maxBody       int64
	waitHeader    string
	credentials   string
	agent         string
	limits        *limits
	breakers      *breakers
}

// New returns a client. It fails where a file cannot be read or does not hold what it
// should, and where a setting contradicts another.
func New(o Options) (*Client, error) {
	config, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyOf(o)
	if err != nil {
		return nil, err
	}
	c := &Client{
		timeout: cmp.Or(o.Timeout, defaultTimeout), maxBody: cmp.Or(o.MaxBody, defaultMaxBody),
		waitHeader: o.WaitHeader, credentials: o.Credentials, agent: agent(), tls: config, proxy: proxy,
		limits: newLimits(o.Limits), breakers: newBreakers(),
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	if o.Guard {
		dialer.Control = newGuard(o.Allow).control
	}
	c.dial = dialer.DialContext
	transport := &http.Transport{
		Proxy: proxy, OnProxyConnectResponse: refusedByProxy, DialContext: c.dial, TLSClientConfig: c.tls, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeader, IdleConnTimeout: dialTimeout,
	}
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	c.reads = &http.Client{Transport: Traced(transport), CheckRedirect: sameOrigin}
	c.writes = &http.Client{Transport: Traced(fresh), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Circuit reports whether the product is asked: the worst of its parts. It is what an
// integration on one client returns as [integrations.Breaker].
func (c *Client) Circuit() integrations.Circuit { return c.breakers.circuit() }

// Share says how many processes ask the product, of which this client's is one: it keeps to
// its share of the limits, rounded down. It is what an integration on one client does as
// [integrations.Sharer].
func (c *Client) Share(processes int) { c.limits.share(processes) }

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
