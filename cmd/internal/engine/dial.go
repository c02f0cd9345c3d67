package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
)

// Config is the Temporal server to use, and how to reach it.
type Config struct {
	// Address is host:port of the frontend.
	Address   string
	Namespace string
	// TLS is nil for a plain connection; see [TLS.Load].
	TLS *tls.Config
	// Keys encrypt payloads. The first encrypts, all decrypt; none: payloads
	// are plain. See [ParseKeys].
	Keys []Key
	// Interceptors see all that goes through the connection; none is the rule.
	Interceptors []interceptor.ClientInterceptor
	// Logger gets the SDK's log. Nil: it is dropped.
	Logger *slog.Logger
	// Metrics gets what the SDK, workflows and activities count. Nil: it is dropped.
	Metrics client.MetricsHandler
}

// TLS names the files with which a cluster is reached.
type TLS struct {
	Cert       string `yaml:"cert" doc:"File with the client certificate, PEM."`
	Key        string `yaml:"key" doc:"File with the client certificate's key, PEM."`
	CA         string `yaml:"ca" doc:"File with the certificates that are trusted, PEM. Without it, those of the system."`
	ServerName string `yaml:"server_name" doc:"The name in the server's certificate, when it is not that of the address."`
}

// Load reads the files.
func (t TLS) Load() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if (t.Cert == "") != (t.Key == "") {
		return nil, fmt.Errorf("read the tls files of temporal: cert and key need each other")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("read the tls files of temporal: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read the tls files of temporal: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the tls files of temporal: %s holds no certificate", t.CA)
		}
	}
	return c, nil
}

// Dial connects to Temporal and checks that it answers.
func Dial(ctx context.Context, c Config) (client.Client, error) {
	o, err := c.options()
	if err != nil {
		return nil, fmt.Errorf("connect to temporal at %q: %w", c.Address, err)
	}
	dialed, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to temporal at %q, namespace %q: %w", c.Address, c.Namespace, reason(ctx, c.Address, err))
	}
	return dialed, nil
}

const (
	// redialEvery is the pause between two attempts to reach a Temporal that does
	// not answer, and attemptTimeout bounds one attempt.
	redialEvery    = 2 * time.Second
	attemptTimeout = 10 * time.Second
)

// DialPatiently is [Dial], again and again for as long as Temporal does not answer,
// at most for the given time. What cannot become better, such as a certificate
// that is refused, ends it at once.
func DialPatiently(ctx context.Context, c Config, most time.Duration) (client.Client, error) {
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	over := time.Now().Add(most)
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		dialed, err := Dial(attempt, c)
		cancel()
		if err == nil || ctx.Err() != nil || !unreachable(err) {
			return dialed, err
		}
		if left := time.Until(over); left <= 0 {
			return nil, fmt.Errorf("%w; no answer within %s", err, most)
		}
		log.Warn("temporal does not answer; trying again", "address", c.Address, "until", over.UTC().Format(time.TimeOnly), "error", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(redialEvery):
		}
	}
}

// unreachable reports whether an attempt to connect failed because nothing
// answered.
func unreachable(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*serviceerror.Unavailable](err); ok {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// reason is why Temporal could not be reached. Where the address itself does not
// answer, that is said as the network says it: gRPC speaks of its own parts.
func reason(ctx context.Context, address string, err error) error {
	if strings.Contains(address, "//") {
		return err
	}
	conn, dialErr := new(net.Dialer).DialContext(ctx, "tcp", address)
	if dialErr != nil {
		return dialErr
	}
	_ = conn.Close() // Nothing was sent.
	return err
}

func (c Config) options() (client.Options, error) {
	logger := c.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	o := client.Options{
		HostPort:          c.Address,
		Namespace:         c.Namespace,
		Logger:            log.NewStructuredLogger(logger.With("component", "temporal")),
		ConnectionOptions: client.ConnectionOptions{TLS: c.TLS},
		Interceptors:      c.Interceptors,
		MetricsHandler:    c.Metrics,
	}
	if local(c.Address) {
		// Within one machine, compression costs more than it saves.
		o.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	}
	payloads, err := c.DataConverter()
	if err != nil {
		return o, err
	}
	o.DataConverter = payloads
	if len(c.Keys) == 0 {
		return o, nil
	}
	// Messages and stack traces of errors quote the data being processed.
	o.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter:          o.DataConverter,
		EncodeCommonAttributes: true,
	})
	return o, nil
}

// DataConverter is how payloads are written and read.
func (c Config) DataConverter() (converter.DataConverter, error) {
	codecs, err := c.Codecs()
	if err != nil {
		return nil, err
	}
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codecs...), nil
}

// Codecs are the codecs of payloads, in the order of decoding: large ones are
// compressed, and all are encrypted after that when there are keys.
func (c Config) Codecs() ([]converter.PayloadCodec, error) {
	if len(c.Keys) == 0 {
		return []converter.PayloadCodec{compressor{}}, nil
	}
	codec, err := NewCodec(c.Keys)
	if err != nil {
		return nil, err
	}
	return []converter.PayloadCodec{codec, compressor{}}, nil
}

func local(address string) bool {
	ip, err := netip.ParseAddrPort(address)
	return err == nil && ip.Addr().IsLoopback()
}
