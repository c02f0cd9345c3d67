package defender

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 45 * time.Second
	maxTimeout     = 4 * time.Minute
	// maxAnswer bounds an answer in bytes: a thousand events of hunting take some two
	// million.
	maxAnswer = 16 << 20
)

// Cloud is where a tenant's data is, or by which of the servers it is reached.
type Cloud string

// The clouds, and the servers of the public one that are closer to a tenant.
const (
	Global  Cloud = "global"
	US      Cloud = "us"
	EU      Cloud = "eu"
	UK      Cloud = "uk"
	AU      Cloud = "au"
	SWA     Cloud = "swa"
	INA     Cloud = "ina"
	AEA     Cloud = "aea"
	GCC     Cloud = "gcc"
	GCCHigh Cloud = "gcc_high"
	DoD     Cloud = "dod"
)

// Config is the configuration of a tenant in stanch.yaml.
type Config struct {
	Tenant            string              `yaml:"tenant,required" doc:"The directory (tenant) id, from the application's overview in Microsoft Entra."`
	ClientID          string              `yaml:"client_id,required" doc:"The application (client) id, from the same page."`
	ClientSecret      integrations.Secret `yaml:"client_secret" doc:"A client secret of the application."`
	ClientCertificate string              `yaml:"client_certificate" path:"" doc:"Instead of the secret: a PEM file of a certificate that the application lists."`
	ClientKey         string              `yaml:"client_key" path:"" doc:"A PEM file of that certificate's RSA key."`
	Cloud             Cloud               `yaml:"cloud" enum:"global,us,eu,uk,au,swa,ina,aea,gcc,gcc_high,dod" doc:"The cloud of the tenant; us to aea are servers of the public one that are closer to it."`
	URL               string              `yaml:"url" doc:"Where Defender's API is, instead of that of cloud."`
	GraphURL          string              `yaml:"graph_url" doc:"Where Microsoft Graph is, instead of that of cloud."`
	LoginURL          string              `yaml:"login_url" doc:"Where tokens are given, instead of that of cloud."`
	Downloads         []string            `yaml:"downloads" doc:"Hosts, or host:port, from which the output of scripts may be fetched, in addition to Azure's blob storage."`
	httpx.Access      `yaml:",inline"`
}

// endpoints are the addresses of a tenant, without a slash at their end, and what its
// tokens are for.
type endpoints struct{ token, api, apiScope, graph, graphScope string }

// Of a government cloud it is not documented for what its API's tokens are asked; its own
// address is taken.
func (c Config) endpoints() (endpoints, error) {
	if err := c.check(); err != nil {
		return endpoints{}, err
	}
	login, e := entra.Global, endpoints{
		api: "https://api.security.microsoft.com", apiScope: "https://api.securitycenter.microsoft.com/.default",
		graph: "https://graph.microsoft.com",
	}
	switch c.Cloud {
	case Global, "":
	case US, EU, UK, AU, SWA, INA, AEA:
		e.api = "https://" + string(c.Cloud) + ".api.security.microsoft.com"
	case GCC:
		e.api = "https://api-gcc.securitycenter.microsoft.us"
		e.apiScope = e.api + "/.default"
	case GCCHigh, DoD:
		e.api = "https://api-gov.securitycenter.microsoft.us"
		e.apiScope = e.api + "/.default"
		login, e.graph = entra.USGovernment, "https://graph.microsoft.us"
		if c.Cloud == DoD {
			e.graph = "https://dod-graph.microsoft.us"
		}
	default:
		return endpoints{}, fmt.Errorf("invalid cloud %q", c.Cloud)
	}
	e.graphScope = e.graph + "/.default"
	for _, o := range []struct {
		name, given string
		to          *string
	}{{"url", c.URL, &e.api}, {"graph_url", c.GraphURL, &e.graph}, {"login_url", c.LoginURL, &login}} {
		if o.given == "" {
			continue
		}
		address, err := httpx.Address(o.name, o.given, "https://api.security.microsoft.com")
		if err != nil {
			return endpoints{}, err
		}
		*o.to = address
	}
	e.token = entra.TokenURL(login, c.Tenant)
	return e, nil
}

func (c Config) check() error {
	if err := errors.Join(entra.CheckID("tenant", c.Tenant), entra.CheckID("client_id", c.ClientID)); err != nil {
		return err
	}
	switch {
	case (c.ClientSecret == "") == (c.ClientCertificate == ""):
		return fmt.Errorf("write a client_secret, or a client_certificate with its client_key")
	case (c.ClientCertificate == "") != (c.ClientKey == ""):
		return fmt.Errorf("client_certificate and client_key need each other")
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	}
	for _, host := range c.Downloads {
		if host == "" || strings.ContainsAny(host, "/@*? ") {
			return fmt.Errorf("invalid host %q of downloads: must be as account.blob.example or 127.0.0.1:8080", host)
		}
	}
	return nil
}
