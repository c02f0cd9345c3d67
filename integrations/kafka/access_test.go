package kafka_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/kafka"
)

const password = "c4n4ryS3cretV4lue00xyz"

// certificate is one for 127.0.0.1, and the file of its authority.
func certificate(t testing.TB) (*tls.Config, string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}, file
}

// guarded is a broker that lets only one user in, over TLS.
func guarded(t testing.TB, mechanism, user, pass string) (*broker, string) {
	t.Helper()
	config, ca := certificate(t)
	b := startBroker(t, 1, kfake.TLS(config), kfake.EnableSASL(), kfake.Superuser(mechanism, user, pass), kfake.Superuser("PLAIN", "sender", "sender"))
	b.sender.Close()
	b.sender = sender(t, b)
	return b, ca
}

// connectionString is that of a hub at an address.
func connectionString(address, pass string) integrations.Secret {
	return integrations.Secret(fmt.Sprintf("Endpoint=sb://%s/;SharedAccessKeyName=listen;SharedAccessKey=%s=;EntityPath=%s", address, pass, topic))
}

func TestEventHubsContract(t *testing.T) {
	contract.Puller(t, contract.PullerHarness{
		Knobs:   contract.Knobs{Kind: "eventhubs"},
		KeepsUp: "that the same broker restarts is checked as kafka",
		Open: func(t testing.TB) contract.PullerWorld {
			// The address is a part of the password.
			port := freePort(t)
			secret := connectionString(fmt.Sprintf("127.0.0.1:%d", port), password)
			b, ca := guarded(t, "PLAIN", "$ConnectionString", secret.Reveal())
			b.end()
			b.port = port
			b.start()
			b.sender.Close()
			b.sender = sender(t, b)
			return contract.PullerWorld{
				New: func() alerts.Puller {
					c, _ := kafka.EventHubs().NewConfig().(*kafka.HubConfig)
					c.ConnectionString, c.CA = secret, ca
					return open(t, kafka.EventHubs(), c)
				},
				Send: b.send, Break: b.end,
			}
		},
	})
}

func sender(t testing.TB, b *broker) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address()), kgo.DefaultProduceTopic(topic),
		kgo.DialTLSConfig(&tls.Config{InsecureSkipVerify: true}), //nolint:gosec // The sender of the tests is not what is tested.
		kgo.SASL(plain.Auth{User: "sender", Pass: "sender"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Each mechanism lets the right password in, and says of a wrong one that it is, without it.
func TestMechanisms(t *testing.T) {
	for mechanism, name := range map[kafka.Mechanism]string{kafka.Plain: "PLAIN", kafka.ScramSHA256: "SCRAM-SHA-256", kafka.ScramSHA512: "SCRAM-SHA-512"} {
		t.Run(name, func(t *testing.T) {
			b, ca := guarded(t, name, "stanch", password)
			b.send("one")
			c := b.config()
			c.TLS, c.CA, c.Mechanism, c.User, c.Password = true, ca, mechanism, "stanch", password
			p := open(t, kafka.Transport(), c)
			defer p.Close()
			if lag, err := p.Lag(t.Context()); err != nil || lag != 1 {
				t.Errorf("the lag is %d, %v; want 1", lag, err)
			}
			wrong := *c
			wrong.Password = "c4n4ryS3cretV4lue"
			q := open(t, kafka.Transport(), &wrong)
			defer q.Close()
			if _, err := q.Lag(t.Context()); err == nil || strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("with a wrong password the error is %v", err)
			}
			plain := *c
			plain.TLS, plain.CA, plain.Mechanism = false, "", kafka.ScramSHA512
			r := open(t, kafka.Transport(), &plain)
			defer r.Close()
			if _, err := r.Lag(t.Context()); err == nil {
				t.Error("without TLS it is let in")
			}
		})
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*kafka.Config){
		"":                                func(*kafka.Config) {},
		"brokers names no broker":         func(c *kafka.Config) { c.Brokers = nil },
		"not host:port":                   func(c *kafka.Config) { c.Brokers = []string{"kafka-1"} },
		"group is empty":                  func(c *kafka.Config) { c.Group = "" },
		"user and password go together":   func(c *kafka.Config) { c.User = "stanch" },
		"certificate and key go together": func(c *kafka.Config) { c.TLS, c.Certificate = true, "a.pem" },
		"tls is false":                    func(c *kafka.Config) { c.CA = "a.pem" },
		"it needs tls":                    func(c *kafka.Config) { c.User, c.Password, c.Mechanism = "a", "b", kafka.Plain },
	} {
		c, _ := kafka.Transport().NewConfig().(*kafka.Config)
		c.Brokers, c.Topic, c.TLS = []string{"127.0.0.1:9092"}, topic, false
		change(c)
		if err := c.Check(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("the check says %v, want %q", err, want)
		}
	}
	for want, c := range map[string]kafka.HubConfig{
		"":                           {ConnectionString: connectionString("ns.servicebus.windows.net", "key"), Group: "g"},
		"no Endpoint":                {ConnectionString: "c4n4ryS3cret", Group: "g"},
		"no SharedAccessKeyName":     {ConnectionString: "Endpoint=sb://ns.example/;SharedAccessKey=c4n4ry", Group: "g"},
		"hub is missing":             {ConnectionString: "Endpoint=sb://ns.example/;SharedAccessKeyName=a;SharedAccessKey=c4n4ry", Group: "g"},
		"is for another":             {ConnectionString: connectionString("ns.example", "c4n4ry"), Hub: "other", Group: "g"},
		"group is empty":             {ConnectionString: connectionString("ns.example", "c4n4ry")},
		"connection_string has no E": {ConnectionString: "Endpoint=sb://%zz c4n4ry;SharedAccessKeyName=a;SharedAccessKey=c4n4ry", Group: "g"},
	} {
		err := c.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "c4n4ry")) {
			t.Errorf("the check says %v, want %q", err, want)
		}
	}
}
