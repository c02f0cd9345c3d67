package httpx

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
)

// tlsConfig is TLS 1.2 or later, with the authorities and the certificate of the options.
func tlsConfig(o Options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pool, err := authorities(o.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	switch {
	case (o.Certificate == "") != (o.Key == ""):
		return nil, errors.New("read the client certificate: a certificate needs its key, and a key its certificate")
	case o.Certificate != "":
		pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// TLS is TLS 1.2 or later for a product that is not reached over HTTP: with the authority of a
// PEM file in addition to those of the system, and a client's certificate and its key. Each
// path may be empty.
func TLS(ca, certificate, key string) (*tls.Config, error) {
	return tlsConfig(Options{CA: ca, Certificate: certificate, Key: key})
}

// proxyOf is the proxy that calls go through; nil is none. Behind one a guard could
// check nothing.
func proxyOf(o Options) (func(*http.Request) (*url.URL, error), error) {
	switch {
	case o.Guard && o.Proxy != "":
		return nil, errors.New("read the proxy: what is guarded is not reached through one")
	case o.Guard:
		return nil, nil
	case o.Proxy == "":
		return http.ProxyFromEnvironment, nil
	}
	// The parser's error quotes the address, which may contain a password.
	to, err := url.Parse(o.Proxy.Reveal())
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" && to.Scheme != "socks5" {
		return nil, errors.New("read the proxy: it is not an address such as http://proxy.example:3128")
	}
	return http.ProxyURL(to), nil
}

// proxyRefusal is the answer of a proxy that does not connect us.
type proxyRefusal struct {
	proxy  string
	status int
}

func (e *proxyRefusal) Error() string {
	return fmt.Sprintf("proxy %s: HTTP status %d", e.proxy, e.status)
}

func refusedByProxy(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{proxy: origin(proxy), status: res.StatusCode}
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

// Connect resolves and connects to where an address leads, up to TLS, and sends
// nothing. Where the call would go through a proxy, it connects to that.
func (c *Client) Connect(ctx context.Context, op, address string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, Request{Op: op, Method: http.MethodGet, URL: address})
	if err != nil {
		return err
	}
	to := req.URL
	if c.proxy != nil {
		// The environment's proxy may be one that cannot be read: a call reports it too.
		via, err := c.proxy(req)
		if err != nil {
			return integrations.Errorf(integrations.Invalid, op, "the proxy of the environment is not an address")
		}
		to = cmp.Or(via, to)
	}
	port := to.Port()
	if port == "" {
		port = to.Scheme
	}
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	if err != nil {
		return Request{Op: op}.broken(to, false, reason(err))
	}
	defer func() { _ = conn.Close() }()
	if to.Scheme != "https" {
		return nil
	}
	config := c.tls.Clone()
	config.ServerName = to.Hostname()
	if err := tls.Client(conn, config).HandshakeContext(ctx); err != nil {
		return Request{Op: op}.broken(to, false, reason(err))
	}
	return nil
}
