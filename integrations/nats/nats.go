// Package nats fetches alerts from streams of NATS JetStream, by a durable consumer.
package nats

import (
	"context"
	"errors"
	"net/url"

	"github.com/nats-io/nats.go"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Transports: []alerts.Transport{Transport()}}
}

// Transport describes streams of JetStream.
func Transport() alerts.Transport {
	return alerts.Transport{
		Kind:    "nats",
		Summary: "A stream of NATS JetStream, read by a durable pull consumer.",
		Doc: `Each message's payload is one body. Messages are taken one after the other, in the order of the stream, and acknowledged, which
the server confirms, only when the engine holds them. Several receivers with the same ` + "`consumer`" + ` share what waits, each in
order, and what was given back because the engine took nothing may come behind what is newer.

The consumer is made when it is used first: from the oldest message, with explicit acknowledgement and no end of
deliveries. One that is there already stays as it is, and is refused where it would lose alerts. See
[NATS](../integrations/nats.md).`,
		Example:   `{ kind: nats, servers: ["nats://nats-1.example:4222"], stream: ALERTS, credentials: /etc/stanch/nats.creds }`,
		NewConfig: func() any { return &Config{Consumer: "stanch", TLS: true} },
		Open:      open,
	}
}

func open(_ context.Context, config any) (alerts.Puller, error) {
	const op = "open nats"
	c, ok := config.(*Config)
	if !ok {
		return nil, integrations.Errorf(integrations.Invalid, op, "the configuration is a %T, not a %T", config, c)
	}
	p, err := newPuller(c)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return p, nil
}

// Config describes a consumer of a stream.
type Config struct {
	Servers     []string            `yaml:"servers,required" doc:"Addresses of the servers, such as nats://nats-1.example:4222."`
	Stream      string              `yaml:"stream,required" doc:"The stream."`
	Subject     string              `yaml:"subject" doc:"The subjects of the stream that a consumer of ours is made for, such as alerts.>; none: all."`
	Consumer    string              `yaml:"consumer" doc:"The durable consumer; all receivers that share the stream have the same."`
	TLS         bool                `yaml:"tls" doc:"Whether the servers speak TLS."`
	CA          string              `yaml:"ca" path:"" doc:"A PEM file of the authority that signed the servers' certificates, in addition to those of the system."`
	Certificate string              `yaml:"certificate" path:"" doc:"A PEM file of the certificate by which the servers recognise this client."`
	Key         string              `yaml:"key" path:"" doc:"A PEM file of the certificate's private key."`
	Credentials string              `yaml:"credentials" path:"" doc:"The file with the user's JWT and seed, as nsc writes it."`
	User        string              `yaml:"user" doc:"The user, where there are no credentials."`
	Password    integrations.Secret `yaml:"password" doc:"The user's password."`
	Token       integrations.Secret `yaml:"token" doc:"The token, where there is neither a user nor credentials."`
}

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	if len(c.Servers) == 0 {
		return errors.New("servers names no server")
	}
	for _, s := range c.Servers {
		// The parser's error would quote the address, which may hold a password.
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls":
			return errors.New("servers has an entry that is not an address such as nats://nats-1.example:4222")
		case u.User != nil:
			return errors.New("servers has an address with a user: it belongs into user and password, or token")
		}
	}
	ways := 0
	for _, set := range []bool{c.Credentials != "", c.User != "", c.Token != ""} {
		if set {
			ways++
		}
	}
	switch {
	case c.Consumer == "":
		return errors.New("consumer is empty: without one nothing remembers what was taken")
	case (c.User == "") != (c.Password == ""):
		return errors.New("user and password go together")
	case ways > 1:
		return errors.New("it has more than one of credentials, user and token: keep one")
	case (c.Certificate == "") != (c.Key == ""):
		return errors.New("certificate and key go together")
	case !c.TLS && (c.CA != "" || c.Certificate != ""):
		return errors.New("tls is false: ca, certificate and key have no use")
	case !c.TLS && (c.User != "" || c.Token != ""):
		return errors.New("a password or a token is sent as it is: it needs tls")
	}
	return nil
}

// options are those of each connection. One that is lost is not mended: whoever uses it notes
// that, and makes another.
func (c *Config) options() ([]nats.Option, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	options := []nats.Option{
		nats.Name("stanch"), nats.NoReconnect(), nats.Timeout(connectWithin),
		// By default they are written to standard error.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}
	if c.TLS {
		config, err := httpx.TLS(c.CA, c.Certificate, c.Key)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(config))
	}
	switch {
	case c.Credentials != "":
		options = append(options, nats.UserCredentials(c.Credentials))
	case c.User != "":
		options = append(options, nats.UserInfo(c.User, c.Password.Reveal()))
	case c.Token != "":
		options = append(options, nats.Token(c.Token.Reveal()))
	}
	return options, nil
}
