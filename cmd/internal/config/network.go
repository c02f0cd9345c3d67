package config

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// HTTPS is where the receiver listens with TLS.
type HTTPS struct {
	Listen string `yaml:"listen,required" doc:"The address, such as 0.0.0.0:8443."`
	Cert   string `yaml:"cert,required" doc:"File with the certificate and those that it is signed by, as PEM. It is read again when it or its key has changed."`
	Key    string `yaml:"key,required" doc:"File with its private key, as PEM."`
}

// checkTLS makes the paths absolute, and reads the certificate to find its faults.
func (c *Config) checkTLS(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	t := c.TLS
	if t == nil || t.Listen == "" || t.Cert == "" || t.Key == "" {
		// What is missing was reported.
		return nil
	}
	if _, _, err := net.SplitHostPort(t.Listen); err != nil {
		issues = append(issues, node.Get("listen").Issue("%s is not host:port, such as 0.0.0.0:8443", node.Get("listen").Quoted()))
	}
	t.Cert, t.Key = c.Path(t.Cert), c.Path(t.Key)
	if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
		// The path is left out: a secret may be in the wrong place.
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err
		}
		issues = append(issues, node.Get("cert").Issue("tls: read cert and key: %v", err))
	}
	return issues
}

// readTrustedProxies parses the list of proxies.
func (c *Config) readTrustedProxies(at playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	for i, text := range c.TrustedProxies {
		n, err := incident.NetworkOf(text)
		switch {
		case err != nil:
			issues = append(issues, at.At(i).Issue("invalid address or network %s: write it like 10.1.0.5 or 10.1.0.0/24", at.At(i).Quoted()))
			continue
		case n.Bits() == 0:
			issues = append(issues, at.At(i).Issue("%s is every address: anybody could say where a request comes from", at.At(i).Quoted()))
			continue
		}
		c.Proxies = append(c.Proxies, n)
	}
	return issues
}
