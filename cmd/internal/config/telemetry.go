package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
)

// Telemetry is what is told to the team's own monitoring.
type Telemetry struct {
	Metrics Metrics `yaml:"metrics" doc:"Metrics for Prometheus."`
	Traces  Traces  `yaml:"traces" doc:"OpenTelemetry traces, one a case, see [operating](../operating.md#traces). Off without an endpoint."`
}

// Metrics says where Prometheus reads the metrics.
type Metrics struct {
	Listen string `yaml:"listen" doc:"Address that shows /metrics and nothing else, to whoever reaches it, such as 127.0.0.1:9464: for a process without the receiver, or to keep them from those who send alerts. The HTTP side shows them too. None: only the HTTP side."`
}

// Traces say where spans go.
type Traces struct {
	Endpoint string              `yaml:"endpoint" doc:"The collector, which takes OTLP over gRPC, such as https://collector.example:4317; http:// is without TLS."`
	CA       string              `yaml:"ca" doc:"File with the certificates that are trusted, PEM. Without it, those of the system."`
	Token    integrations.Secret `yaml:"token" doc:"What the collector asks for; not over http:// to another machine."`
	Header   string              `yaml:"header" doc:"The header that the token is sent in. In authorization it is a bearer token."`
	Sample   float64             `yaml:"sample" doc:"The share of cases that are traced, from 0 to 1, where the sender of the alert does not say."`
}

func (m Metrics) check(node playbooks.Node) playbooks.Issues {
	if _, _, err := net.SplitHostPort(m.Listen); m.Listen != "" && err != nil {
		listen := node.Get("listen")
		return playbooks.Issues{listen.Issue("%s is not host:port, such as 127.0.0.1:9464", listen.Quoted())}
	}
	return nil
}

// headerName matches names of headers as gRPC sends them.
var headerName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// checkTraces finds faults in where spans go.
func (c *Config) checkTraces(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	t := &c.Telemetry.Traces
	u, err := url.Parse(t.Endpoint)
	wrong := err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" ||
		u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != ""
	switch {
	case !node.IsZero() && node.Get("endpoint").IsZero():
		issues = append(issues, node.Issue("traces needs endpoint, such as https://collector.example:4317"))
	case t.Endpoint != "" && wrong:
		issues = append(issues, node.Get("endpoint").Issue("endpoint is not an address such as https://collector.example:4317: scheme, host and port, and nothing after them"))
	case t.Token != "" && u.Scheme == "http" && !loopback(u.Hostname()):
		issues = append(issues, node.Get("endpoint").Issue("the token would be sent in plain text: write https://"))
	}
	if !headerName.MatchString(t.Header) {
		issues = append(issues, node.Get("header").Issue("header is not a name such as authorization or x-token, in lower case"))
	}
	if !(t.Sample >= 0 && t.Sample <= 1) {
		issues = append(issues, node.Get("sample").Issue("sample is %v: it is a share, from 0 to 1", t.Sample))
	}
	t.CA = c.Path(t.CA)
	return issues
}

// loopback reports whether a host is this machine, by its address or by the one
// name that always means it.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// TLS is how the collector is reached by https.
func (t Traces) TLS() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("read the ca of the collector: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the ca of the collector: %s holds no certificate", t.CA)
	}
	return c, nil
}
