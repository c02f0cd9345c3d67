package sentinelone

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 5 * time.Minute
	// maxBody bounds one answer, in bytes. Texts of scripts are long.
	maxBody = 32 << 20
)

// Identifier says what happens where a device has a customer identifier of the customer's
// own, which is where the mark of an isolation is written.
type Identifier string

// The choices. An identifier is never overwritten.
const (
	Refuse Identifier = "refuse" // such a device is not isolated
	Append Identifier = "append" // the mark is written behind it, and taken off again
)

// Config is the configuration of a console in stanch.yaml.
type Config struct {
	URL          string              `yaml:"url,required" doc:"The address of the console, such as https://usea1-example.sentinelone.net."`
	Token        integrations.Secret `yaml:"token,required" doc:"The API token of a service user."`
	Accounts     []string            `yaml:"accounts" doc:"Ids of the accounts whose events are asked for. Empty: all that the service user may see."`
	Identifier   Identifier          `yaml:"identifier" enum:"refuse,append" doc:"What to do with a device that has a customer identifier: refuse to isolate it, or append the mark of the isolation, which is taken off afterwards."`
	Downloads    []string            `yaml:"downloads" doc:"Hosts, or host:port, from which the output of scripts may be fetched, in addition to the storage of Amazon and Google."`
	httpx.Access `yaml:",inline"`
}

// check returns the address of the console without a slash at its end, or what is wrong.
func (c Config) check() (string, error) {
	switch {
	case c.Token == "":
		return "", errors.New("write a token")
	case strings.ContainsFunc(c.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("the token has a blank, a line end or another character that no token has")
	case c.Identifier != Refuse && c.Identifier != Append:
		return "", fmt.Errorf("invalid identifier %q: must be refuse or append", c.Identifier)
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return "", fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	}
	for _, id := range c.Accounts {
		if !isID(id) {
			return "", fmt.Errorf("invalid account id %q: must be the digits of one", httpx.Line(id))
		}
	}
	for _, host := range c.Downloads {
		if host == "" || strings.ContainsAny(host, "/@*? ") {
			return "", fmt.Errorf("invalid host %q of downloads: must be as storage.example or 127.0.0.1:8080", httpx.Line(host))
		}
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("url is not an address such as https://usea1-example.sentinelone.net")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return "", errors.New("url has a user, a path, a query or a fragment")
	case u.Scheme == "http" && !httpx.Loopback(u.Hostname()):
		return "", errors.New("url is http: the token would travel in the clear")
	}
	return u.Scheme + "://" + u.Host, nil
}
