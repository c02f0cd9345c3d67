package sentinel

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Minute
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
	Tenant        string              `yaml:"tenant,required" doc:"The directory (tenant) id, from the application's overview in Microsoft Entra."`
	ClientID      string              `yaml:"client_id,required" doc:"The application (client) id, from the same page."`
	ClientSecret  integrations.Secret `yaml:"client_secret,required" doc:"A client secret of the application."`
	Subscription  string              `yaml:"subscription,required" doc:"The id of the subscription that the workspace is in."`
	ResourceGroup string              `yaml:"resource_group,required" doc:"The resource group that the workspace is in."`
	Workspace     string              `yaml:"workspace,required" doc:"The name of the Log Analytics workspace that Sentinel is on."`
	Cloud         Cloud               `yaml:"cloud" enum:"global,us_government,china" doc:"The cloud of the tenant."`
	URL           string              `yaml:"url" doc:"Where Azure's Resource Manager is, instead of that of cloud."`
	LoginURL      string              `yaml:"login_url" doc:"Where tokens are given, instead of that of cloud."`
	httpx.Access  `yaml:",inline"`
}

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	_, err := c.endpoints()
	return err
}

// endpoints are the addresses of a workspace, without a slash at their end, and what its
// tokens are for.
type endpoints struct{ token, manager, scope string }

func (c *Config) endpoints() (endpoints, error) {
	if err := c.check(); err != nil {
		return endpoints{}, err
	}
	login, e := entra.Global, endpoints{manager: "https://management.azure.com"}
	switch c.Cloud {
	case Global, "":
	case USGovernment:
		login, e.manager = entra.USGovernment, "https://management.usgovcloudapi.net"
	case China:
		login, e.manager = entra.China, "https://management.chinacloudapi.cn"
	default:
		return endpoints{}, fmt.Errorf("invalid cloud %q", c.Cloud)
	}
	// Also through another address the token is for Azure's own.
	e.scope = e.manager + "/.default"
	for _, o := range []struct {
		name, given string
		to          *string
	}{{"url", c.URL, &e.manager}, {"login_url", c.LoginURL, &login}} {
		if o.given == "" {
			continue
		}
		address, err := httpx.Address(o.name, o.given, "https://management.azure.com")
		if err != nil {
			return endpoints{}, err
		}
		*o.to = address
	}
	e.token = entra.TokenURL(login, c.Tenant)
	return e, nil
}

func (c *Config) check() error {
	for _, id := range []struct{ name, text string }{{"tenant", c.Tenant}, {"client_id", c.ClientID}, {"subscription", c.Subscription}} {
		if err := entra.CheckID(id.name, id.text); err != nil {
			return err
		}
	}
	for _, part := range []struct{ name, text string }{{"resource_group", c.ResourceGroup}, {"workspace", c.Workspace}} {
		if part.text == "" || strings.Trim(part.text, ".") == "" || strings.ContainsAny(part.text, "/?#%\\") {
			return fmt.Errorf("invalid %s %q: must be the name alone", part.name, part.text)
		}
	}
	switch {
	case c.ClientSecret == "":
		return fmt.Errorf("write a client_secret")
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	}
	return nil
}

// path is that of the workspace in Azure's Resource Manager.
func (c *Config) path() string {
	return "/subscriptions/" + strings.ToLower(c.Subscription) + "/resourceGroups/" + url.PathEscape(c.ResourceGroup) +
		"/providers/Microsoft.OperationalInsights/workspaces/" + url.PathEscape(c.Workspace)
}
