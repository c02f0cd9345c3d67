package elastic

import (
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// DefendConfig is the configuration of Elastic Defend in stanch.yaml.
type DefendConfig struct {
	URL              string              `yaml:"url,required" doc:"Kibana's address, such as https://kibana.example:5601."`
	Space            string              `yaml:"space" doc:"The identifier of the Kibana space; empty: the default one."`
	APIKey           integrations.Secret `yaml:"api_key,required" doc:"An API key, in its encoded form."`
	Elasticsearch    string              `yaml:"elasticsearch,required" doc:"The address of the cluster that holds the events, such as https://es.example:9200."`
	ElasticsearchKey integrations.Secret `yaml:"elasticsearch_api_key" doc:"An API key of the cluster, where it is another one."`
	NetworkIndices   []string            `yaml:"network_indices" doc:"The data streams or aliases of network events."`
	ProcessIndices   []string            `yaml:"process_indices" doc:"Those of process events."`
	ScriptIndices    []string            `yaml:"script_indices" doc:"Those of PowerShell's operational log, by Elastic Agent's Windows integration. They may be missing."`
	Scripts          string              `yaml:"scripts" doc:"The folder on devices that holds the scripts that may be run."`
	httpx.Access     `yaml:",inline"`
}

// addresses returns those of Kibana, with the space, and of the cluster, or what is wrong.
func (c DefendConfig) addresses() (kibana, cluster string, err error) {
	if kibana, err = httpx.Address("url", c.URL, "https://elastic.example:9200"); err != nil {
		return "", "", err
	}
	if cluster, err = httpx.Address("elasticsearch", c.Elasticsearch, "https://elastic.example:9200"); err != nil {
		return "", "", err
	}
	switch {
	case c.APIKey == "":
		return "", "", fmt.Errorf("write an api_key")
	case !folderOnVolume(c.Scripts):
		return "", "", fmt.Errorf(`invalid folder %q of scripts: must be as C:\ProgramData\Stanch, of letters, digits and ._-`, c.Scripts)
	case len(c.NetworkIndices) == 0 || len(c.ProcessIndices) == 0:
		return "", "", fmt.Errorf("write network_indices and process_indices")
	}
	if err := checkTimeout(c.Timeout); err != nil {
		return "", "", err
	}
	for _, list := range [][]string{c.NetworkIndices, c.ProcessIndices, c.ScriptIndices} {
		if err := checkIndices(list); err != nil {
			return "", "", err
		}
	}
	if c.Space != "" {
		if !allowed(c.Space, "_-") {
			return "", "", fmt.Errorf("invalid space %q: must be its identifier, of letters, digits, _ and -", c.Space)
		}
		kibana += "/s/" + c.Space
	}
	return kibana, cluster, nil
}

func checkTimeout(t time.Duration) error {
	if t < time.Second || t > maxTimeout {
		return fmt.Errorf("timeout is %s: must be between 1s and %s", t, maxTimeout)
	}
	return nil
}

func checkIndices(list []string) error {
	if len(list) > maxIndices {
		return fmt.Errorf("there are %d indices: must be %d at most", len(list), maxIndices)
	}
	for _, name := range list {
		if err := checkIndex(name); err != nil {
			return err
		}
	}
	return nil
}

// folderOnVolume reports whether a path is that of a folder in which a shell finds nothing
// else to do.
func folderOnVolume(path string) bool {
	return len(path) > 3 && len(path) < 200 && (path[0]|0x20 >= 'a' && path[0]|0x20 <= 'z') && path[1:3] == `:\` &&
		allowed(path[3:], `._\-`) && !strings.HasSuffix(path, `\`) && !strings.Contains(path, "..")
}

// allowed reports whether a text is not empty, and of letters, digits and the others alone.
func allowed(text, others string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return text != ""
}
