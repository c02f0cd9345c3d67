package wazuh

import (
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 4 * time.Minute
	defaultIndex   = "wazuh-alerts-4.x-*"
	// maxAnswer bounds an answer in bytes: a thousand alerts with their events take some
	// five million.
	maxAnswer = 32 << 20
)

// Config is the configuration of a Wazuh in stanch.yaml.
type Config struct {
	URL             string              `yaml:"url,required" doc:"Where the manager's API is, such as https://wazuh.example:55000."`
	User            string              `yaml:"user,required" doc:"A user of the manager's API, of Stanch alone."`
	Password        integrations.Secret `yaml:"password,required" doc:"Its password."`
	IndexerURL      string              `yaml:"indexer_url,required" doc:"Where the Wazuh indexer is, such as https://wazuh.example:9200: alerts are read there, and what our scripts say."`
	IndexerUser     string              `yaml:"indexer_user,required" doc:"A user of the indexer that may read the index of alerts."`
	IndexerPassword integrations.Secret `yaml:"indexer_password,required" doc:"Its password."`
	Index           string              `yaml:"index" doc:"The index of alerts, or a pattern of several."`
	httpx.Access    `yaml:",inline"`
}

func (c Config) check() error {
	switch {
	case c.User == "" || strings.Contains(c.User, ":"):
		return fmt.Errorf("invalid user %q: it is empty, or has a colon", c.User)
	case c.IndexerUser == "" || strings.Contains(c.IndexerUser, ":"):
		return fmt.Errorf("invalid indexer_user %q: it is empty, or has a colon", c.IndexerUser)
	case c.Password == "" || c.IndexerPassword == "":
		return fmt.Errorf("password and indexer_password must be set")
	case !isIndex(c.Index):
		return fmt.Errorf("invalid index %q: must be as %s", c.Index, defaultIndex)
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	}
	return nil
}

// isIndex reports whether a text is the name of an index or a pattern that does not mean
// all of them.
func isIndex(name string) bool {
	if name == "" || len(name) > 255 || !isLower(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isLower(name[i]) && !isDigit(name[i]) && !strings.ContainsRune("-_.*", rune(name[i])) {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
