package httpx

import (
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// Access is how a product is reached, for embedding in the configuration of an
// integration: all have the same words for it.
type Access struct {
	CA          string              `yaml:"ca" path:"" doc:"A PEM file of the authority that signed the product's certificate, in addition to those of the system."`
	Certificate string              `yaml:"certificate" path:"" doc:"A PEM file of the certificate by which the product recognises this client."`
	Key         string              `yaml:"key" path:"" doc:"A PEM file of the certificate's private key."`
	Proxy       integrations.Secret `yaml:"proxy" doc:"The proxy to the product, such as http://user:password@proxy.example:3128; https and socks5 work too. Empty: that of the environment, HTTPS_PROXY."`
	Timeout     time.Duration       `yaml:"timeout" doc:"How long one call may take."`
}

// Options are the options of a client for it; a caller adds its own.
func (a Access) Options() Options {
	return Options{CA: a.CA, Certificate: a.Certificate, Key: a.Key, Proxy: a.Proxy, Timeout: a.Timeout}
}
