package loganalytics

import (
	"errors"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 60 * time.Second
	// maxTimeout is for how long the service works on a query at most.
	maxTimeout     = 10 * time.Minute
	defaultLongest = time.Hour
	maxLongest     = 7 * 24 * time.Hour
	// maxAnswer bounds an answer in bytes: the service's own bound is about 64 MB.
	maxAnswer = 80 << 20
	// maxLines bounds the services of a host that are summed one by one.
	maxLines = 10_000
)

// Cloud is Azure's cloud that a workspace is in.
type Cloud string

// The clouds.
const (
	Global       Cloud = "global"
	USGovernment Cloud = "us_government"
	China        Cloud = "china"
)

// Config is the configuration of a workspace in stanch.yaml.
type Config struct {
	Tenant            string              `yaml:"tenant,required" doc:"The directory (tenant) id, from the application's overview in Microsoft Entra."`
	ClientID          string              `yaml:"client_id,required" doc:"The application (client) id, from the same page."`
	ClientSecret      integrations.Secret `yaml:"client_secret" doc:"A client secret of the application."`
	ClientCertificate string              `yaml:"client_certificate" path:"" doc:"Instead of the secret: a PEM file of a certificate that the application lists."`
	ClientKey         string              `yaml:"client_key" path:"" doc:"A PEM file of that certificate's RSA key."`
	Workspace         string              `yaml:"workspace,required" doc:"The workspace id, from the workspace's overview."`
	Layout            Layout              `yaml:"layout,required" enum:"commonsecuritylog,ntanetanalytics,azurenetworkanalytics,vmconnection" doc:"Whose table it is: commonsecuritylog (firewalls by CEF), ntanetanalytics (traffic analytics of virtual networks), azurenetworkanalytics (of network security groups), vmconnection (VM insights)."`
	Cloud             Cloud               `yaml:"cloud" enum:"global,us_government,china" doc:"The cloud of the workspace."`
	URL               string              `yaml:"url" doc:"Where the Log Analytics API is, instead of that of cloud."`
	LoginURL          string              `yaml:"login_url" doc:"Where tokens are given, instead of that of cloud."`
	SensorColumn      string              `yaml:"sensor_column" doc:"The column of text that names who saw a flow. Empty: the layout's own."`

	Only    []integrations.Match `yaml:"only" doc:"Records count where each of these columns has one of its values."`
	Without []integrations.Match `yaml:"without" doc:"Records do not count where one of these columns has one of its values."`

	Longest      time.Duration `yaml:"longest" doc:"How long a session of commonsecuritylog can last at most: longer ones are found near their end only."`
	httpx.Access `yaml:",inline"`
}

func defaults() *Config {
	return &Config{Cloud: Global, Longest: defaultLongest, Access: httpx.Access{Timeout: defaultTimeout}}
}

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	_, err := c.endpoints()
	return err
}

// endpoints are the addresses of a workspace, without a slash at their end, and what its
// tokens are for.
type endpoints struct{ token, api, scope string }

// endpoints returns them, or what is wrong. Tokens of the public cloud are for the former
// name of the API, which the documents ask for.
func (c *Config) endpoints() (endpoints, error) {
	if err := c.check(); err != nil {
		return endpoints{}, err
	}
	login, e := entra.Global, endpoints{api: "https://api.loganalytics.azure.com", scope: "https://api.loganalytics.io/.default"}
	switch c.Cloud {
	case Global, "":
	case USGovernment:
		login, e.api, e.scope = entra.USGovernment, "https://api.loganalytics.us", "https://api.loganalytics.us/.default"
	case China:
		login, e.api, e.scope = entra.China, "https://api.loganalytics.azure.cn", "https://api.loganalytics.azure.cn/.default"
	default:
		return endpoints{}, fmt.Errorf("invalid cloud %q", c.Cloud)
	}
	for _, o := range []struct {
		name, given string
		to          *string
	}{{"url", c.URL, &e.api}, {"login_url", c.LoginURL, &login}} {
		if o.given == "" {
			continue
		}
		address, err := httpx.Address(o.name, o.given, "https://api.loganalytics.azure.com")
		if err != nil {
			return endpoints{}, err
		}
		*o.to = address
	}
	e.token = entra.TokenURL(login, c.Tenant)
	return e, nil
}

func (c *Config) check() error {
	err := errors.Join(entra.CheckID("tenant", c.Tenant), entra.CheckID("client_id", c.ClientID), entra.CheckID("workspace", c.Workspace))
	if err != nil {
		return err
	}
	switch {
	case c.Layout == "devicenetworkevents":
		return fmt.Errorf("invalid layout %q: its records have no bytes, so that nothing is known of what was sent; the kind defender asks them for connections", c.Layout)
	case !c.Layout.known():
		return fmt.Errorf("invalid layout %q: must be one of commonsecuritylog, ntanetanalytics, azurenetworkanalytics, vmconnection", c.Layout)
	case (c.ClientSecret == "") == (c.ClientCertificate == ""):
		return fmt.Errorf("write a client_secret, or a client_certificate with its client_key")
	case (c.ClientCertificate == "") != (c.ClientKey == ""):
		return fmt.Errorf("client_certificate and client_key need each other")
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	case c.Longest < time.Minute || c.Longest > min(maxLongest, flowmath.MaxDuration):
		return fmt.Errorf("longest is %s: must be between 1m and %s", c.Longest, maxLongest)
	case c.SensorColumn != "" && !columnName(c.SensorColumn):
		return fmt.Errorf("invalid column name %q of sensor_column", c.SensorColumn)
	}
	return integrations.CheckMatches(c.Only, c.Without, columnName)
}

// columnName reports whether a text can be the name of a column, which stands in queries as
// it is.
func columnName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 127
}
