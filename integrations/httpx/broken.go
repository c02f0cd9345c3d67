package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/stanch-soar/stanch/integrations"
)

// broken is the error of a call without a usable answer.
func (r Request) broken(u *url.URL, sent bool, err error) *integrations.Error {
	kind := lost(sent)
	if errors.Is(err, errNotPublic) {
		kind = integrations.Invalid
	}
	if e, ok := errors.AsType[*proxyRefusal](err); ok && e.status < 500 {
		kind = integrations.Denied
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
	_, proxy := errors.AsType[*proxyRefusal](err)
	switch {
	case network, proxy, cert, record, errors.Is(err, http.ErrSchemeMismatch), errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return errors.New("the exchange broke off")
}
