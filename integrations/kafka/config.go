package kafka

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const defaultGroup = "stanch"

// Mechanism is how a client proves who it is.
type Mechanism string

// The mechanisms.
const (
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
)

// Config describes a topic.
type Config struct {
	Brokers     []string            `yaml:"brokers,required" doc:"Some of the brokers, as host:port; the others are learnt from them."`
	Topic       string              `yaml:"topic,required" doc:"The topic."`
	Group       string              `yaml:"group" doc:"The consumer group; all receivers that share the topic have the same."`
	TLS         bool                `yaml:"tls" doc:"Whether the brokers speak TLS."`
	CA          string              `yaml:"ca" path:"" doc:"A PEM file of the authority that signed the brokers' certificates, in addition to those of the system."`
	Certificate string              `yaml:"certificate" path:"" doc:"A PEM file of the certificate by which the brokers recognise this client."`
	Key         string              `yaml:"key" path:"" doc:"A PEM file of the certificate's private key."`
	Mechanism   Mechanism           `yaml:"mechanism" enum:"plain,scram-sha-256,scram-sha-512" doc:"The SASL mechanism, where there is a user."`
	User        string              `yaml:"user" doc:"The user for SASL; none: no SASL."`
	Password    integrations.Secret `yaml:"password" doc:"The user's password."`
}

func defaults() *Config { return &Config{Group: defaultGroup, TLS: true, Mechanism: ScramSHA512} }

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	if len(c.Brokers) == 0 {
		return errors.New("brokers names no broker")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return errors.New("brokers has an entry that is not host:port, such as kafka-1.example:9093")
		}
	}
	switch {
	case c.Group == "":
		return errors.New("group is empty: without one nothing remembers what was taken")
	case (c.User == "") != (c.Password == ""):
		return errors.New("user and password go together")
	case (c.Certificate == "") != (c.Key == ""):
		return errors.New("certificate and key go together")
	case !c.TLS && (c.CA != "" || c.Certificate != ""):
		return errors.New("tls is false: ca, certificate and key have no use")
	case !c.TLS && c.User != "" && c.Mechanism == Plain:
		return errors.New("mechanism plain sends the password as it is: it needs tls")
	}
	return nil
}

// settings are what a puller needs of either configuration.
type settings struct {
	topic, group string
	options      []kgo.Opt
}

func (c *Config) settings() (settings, error) {
	s := settings{topic: c.Topic, group: c.Group, options: []kgo.Opt{kgo.SeedBrokers(c.Brokers...)}}
	if err := c.Check(); err != nil {
		return s, err
	}
	if c.TLS {
		config, err := httpx.TLS(c.CA, c.Certificate, c.Key)
		if err != nil {
			return s, err
		}
		s.options = append(s.options, kgo.DialTLSConfig(config))
	}
	if c.User != "" {
		s.options = append(s.options, kgo.SASL(c.mechanism()))
	}
	return s, nil
}

func (c *Config) mechanism() sasl.Mechanism {
	shared := scram.Auth{User: c.User, Pass: c.Password.Reveal()}
	switch c.Mechanism {
	case ScramSHA256:
		return shared.AsSha256Mechanism()
	case ScramSHA512:
		return shared.AsSha512Mechanism()
	case Plain:
	}
	return plain.Auth{User: c.User, Pass: c.Password.Reveal()}.AsMechanism()
}

// HubConfig describes an event hub.
type HubConfig struct {
	ConnectionString integrations.Secret `yaml:"connection_string,required" doc:"The connection string of a shared access policy with the claim Listen, of the namespace or of the hub."`
	Hub              string              `yaml:"hub" doc:"The event hub; none: the EntityPath of the connection string."`
	Group            string              `yaml:"group" doc:"The consumer group of the Kafka endpoint; all receivers that share the hub have the same."`
	CA               string              `yaml:"ca" path:"" doc:"A PEM file of an authority in addition to those of the system, where a proxy breaks up TLS."`
}

// hubPort is the port of the Kafka endpoint.
const hubPort = "9093"

// hubUser is the user name for which the password is a connection string.
const hubUser = "$ConnectionString"

// Check implements [integrations.Checker].
func (c *HubConfig) Check() error { _, err := c.asKafka(); return err }

// asKafka is the hub as a topic: the namespace is the broker, and the connection string the
// password.
//
// https://learn.microsoft.com/azure/event-hubs/azure-event-hubs-apache-kafka-overview
func (c *HubConfig) asKafka() (*Config, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimSpace(c.ConnectionString.Reveal()), ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			parts[strings.ToLower(name)] = value
		}
	}
	// The parser's error would quote a part of the secret.
	endpoint, err := url.Parse(parts["endpoint"])
	switch {
	case err != nil || endpoint.Scheme != "sb" || endpoint.Hostname() == "":
		return nil, errors.New("connection_string has no Endpoint=sb://NAMESPACE.servicebus.windows.net/")
	case parts["sharedaccesskeyname"] == "" || parts["sharedaccesskey"] == "":
		return nil, errors.New("connection_string has no SharedAccessKeyName and SharedAccessKey")
	case c.Hub == "" && parts["entitypath"] == "":
		return nil, errors.New("hub is missing, and connection_string has no EntityPath that says it")
	case c.Hub != "" && parts["entitypath"] != "" && c.Hub != parts["entitypath"]:
		return nil, fmt.Errorf("hub is %q, and connection_string is for another: its EntityPath", c.Hub)
	}
	port := hubPort
	if endpoint.Port() != "" {
		port = endpoint.Port()
	}
	k := &Config{
		Brokers: []string{net.JoinHostPort(endpoint.Hostname(), port)}, Topic: c.Hub, Group: c.Group,
		TLS: true, CA: c.CA, Mechanism: Plain, User: hubUser, Password: c.ConnectionString,
	}
	if k.Topic == "" {
		k.Topic = parts["entitypath"]
	}
	return k, k.Check()
}

func (c *HubConfig) settings() (settings, error) {
	k, err := c.asKafka()
	if err != nil {
		return settings{}, err
	}
	return k.settings()
}
