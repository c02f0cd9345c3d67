package sentinel

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
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
	login, e := "https://login.microsoftonline.com", endpoints{manager: "https://management.azure.com"}
	switch c.Cloud {
	case Global, "":
	case USGovernment:
		login, e.manager = "https://login.microsoftonline.us", "https://management.usgovcloudapi.net"
	case China:
		login, e.manager = "https://login.partner.microsoftonline.cn", "https://management.chinacloudapi.cn"
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
		address, err := addressOf(o.given)
		if err != nil {
			return endpoints{}, fmt.Errorf("%s %w", o.name, err)
		}
		*o.to = address
	}
	e.token = login + "/" + strings.ToLower(c.Tenant) + "/oauth2/v2.0/token"
	return e, nil
}

func (c *Config) check() error {
	for _, id := range []struct{ name, text string }{{"tenant", c.Tenant}, {"client_id", c.ClientID}, {"subscription", c.Subscription}} {
		if !isGUID(id.text) {
			return fmt.Errorf("invalid %s %q: must be an id such as 00000000-0000-0000-0000-000000000000", id.name, id.text)
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

// addressOf returns an address to which paths can be appended.
func addressOf(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("is not an address such as https://management.azure.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("has a user, a query or a fragment")
	case u.Scheme == "http" && !httpx.Loopback(u.Hostname()):
		return "", fmt.Errorf("is http: tokens would travel in the clear")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// isGUID reports whether a text has the form of Microsoft's ids.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
