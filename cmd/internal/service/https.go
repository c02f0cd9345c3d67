package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/stanch-soar/stanch/cmd/internal/config"
)

// setTLSListen is how the address with TLS is set.
const setTLSListen = "tls.listen in stanch.yaml"

// listenTLS serves the receiver with TLS too, where stanch.yaml says so.
func (s *Service) listenTLS() error {
	c := s.options.Config
	if c.TLS == nil {
		return nil
	}
	own := &certificate{files: [2]string{c.TLS.Cert, c.TLS.Key}, log: s.options.Log}
	if _, err := own.get(nil); err != nil {
		return fmt.Errorf("serve with TLS: %w", err)
	}
	listener, err := Listen(c.TLS.Listen, setTLSListen)
	if err != nil {
		return err
	}
	s.secure = tls.NewListener(listener, tlsConfig(c, own))
	s.running.Go(func() {
		if err := s.http.Serve(s.secure); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("the receiver with TLS ended: %w", err))
		}
	})
	return nil
}

// tlsConfig is that of the address with TLS. Clients are asked for a certificate only
// where a source takes one; whose it is, the source says. HTTP/2 is not offered: the
// bounds of bodies are those of connections with one request at a time.
func tlsConfig(c *config.Config, own *certificate) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: own.get, NextProtos: []string{"http/1.1"}}
	for _, source := range c.Sources {
		if source.Auth.MTLS != nil {
			t.ClientAuth = tls.RequestClientCert
		}
	}
	return t
}

// SecureAddress is what the receiver listens on with TLS; empty where it does not.
func (s *Service) SecureAddress() string {
	if s.secure == nil {
		return ""
	}
	return s.secure.Addr().String()
}

// certificate is the server's certificate, which is read again when its files have
// changed: it is renewed without a restart. One that cannot be read leaves the one before.
type certificate struct {
	// files are the certificate and its key.
	files [2]string
	log   *slog.Logger

	mu   sync.Mutex
	seen [2]fs.FileInfo
	last *tls.Certificate
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed, err := c.changed()
	if err == nil && changed {
		var renewed tls.Certificate
		if renewed, err = tls.LoadX509KeyPair(c.files[0], c.files[1]); err == nil {
			c.last = &renewed
		}
	}
	switch {
	case c.last == nil:
		return nil, fmt.Errorf("read the certificate: %w", err)
	case err != nil && changed:
		c.log.WarnContext(context.Background(), "the renewed certificate cannot be read: the one before is served", "error", err)
	}
	return c.last, nil
}

// changed reports whether a file is another than when this was last asked.
func (c *certificate) changed() (bool, error) {
	var now [2]fs.FileInfo
	for i, file := range c.files {
		info, err := os.Stat(file)
		if err != nil {
			// It is between two: the next connection looks again.
			return false, fmt.Errorf("look at the certificate: %w", err)
		}
		now[i] = info
	}
	changed := false
	for i, before := range c.seen {
		changed = changed || before == nil || !os.SameFile(before, now[i]) || before.Size() != now[i].Size() || !before.ModTime().Equal(now[i].ModTime())
	}
	c.seen = now
	return changed, nil
}
