// Package config reads stanch.yaml: one strict file, with the same complaints
// as playbooks have.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Embedded is the address of the engine that runs in the process.
const Embedded = "embedded"

// Config is the content of stanch.yaml.
type Config struct {
	Listen         string              `yaml:"listen" doc:"Address of the HTTP side."`
	TLS            *HTTPS              `yaml:"tls" doc:"A second address of the HTTP side, with TLS, see [on a network](../operating.md#on-a-network). None: there is only the first."`
	TrustedProxies []string            `yaml:"trusted_proxies" as:"list of addresses and networks" doc:"Reverse proxies that write X-Forwarded-For themselves: behind them it is that address a request comes from. None: it is always the peer's."`
	PublicURL      string              `yaml:"public_url" doc:"The address at which the API is reached, such as https://stanch.example: in answers to alerts and in what webhooks get. When it is empty, answers have the listening address, and webhooks none."`
	Data           string              `yaml:"data" doc:"Folder of the embedded engine and of everything else that is kept."`
	Memory         int64               `yaml:"memory" unit:"size" doc:"How large the heap may grow before the garbage collector works harder; at its peak the process takes some 130 MiB more. A small machine takes 256MiB, and does less at a time. GOMEMLIMIT in the environment goes first."`
	Temporal       Temporal            `yaml:"temporal" doc:"The engine."`
	Playbooks      []string            `yaml:"playbooks" doc:"Folders of playbooks; watched. None: the library that Stanch ships, in shadow mode."`
	Integrations   playbooks.Node      `yaml:"integrations" as:"mapping of names to [integrations](integrations.md)" doc:"The names that playbooks use, each with its kind, its settings, a rate such as 10/s if its product bounds how often it may be asked, and, for a flow store whose sensors do not sit behind what limits, sees: { gateway: before }, see [sensors](../operating.md#sensors-before-the-limiter), and exits: { 'fw*': direct }, see [exits](../operating.md#which-exit-a-sensor-watches). None: one simulated estate stands in for all."`
	Sources        map[string]Source   `yaml:"sources" doc:"Who may send alerts. None: nobody."`
	People         []Person            `yaml:"people" doc:"Who may use the API. None: nobody."`
	Groups         map[string]Group    `yaml:"groups" doc:"What the people of a group may do, by the group's name."`
	Roles          map[string][]string `yaml:"roles" as:"mapping of [asset roles](policy.md#roles) to their aliases" doc:"The site's own asset roles, each with the other words that mean it. A shipped role gets more aliases."`
	Traffic        Traffic             `yaml:"traffic" doc:"How traffic is judged."`
	Routes         Routes              `yaml:"routes" doc:"How the EDR's agents reach their cloud, see [the way back](../operating.md#the-way-back)."`
	Infrastructure []string            `yaml:"infrastructure" as:"list of addresses, networks, host names and device ids" doc:"What Stanch, the EDR and its agents need to work, such as proxies, VPN gateways and relays: it is never contained, and isolated hosts still reach it, see [the way back](../operating.md#the-way-back)."`
	Evidence       Evidence            `yaml:"evidence" doc:"Evidence bundles."`
	Daily          Daily               `yaml:"standing" doc:"Where people are told once a day what stands. None: nowhere."`
	Telemetry      Telemetry           `yaml:"telemetry" doc:"What is told to the team's own monitoring."`
	Log            Log                 `yaml:"log" doc:"What serve and codec write to standard error, see [operating](../operating.md#logs)."`

	// AssetRoles are the shipped roles and the site's own.
	AssetRoles         incident.Vocabulary `yaml:"-"`
	SharedDestinations []string            `yaml:"shared_destinations" as:"list of addresses and networks" doc:"Where many services are reached that have nothing to do with each other, besides the CDNs, clouds and resolvers that Stanch knows: no block stops them, unless its step says shared: block."`
	// SharedNetworks are the shared destinations, parsed.
	SharedNetworks []netip.Prefix `yaml:"-"`
	// Proxies are the trusted proxies, parsed.
	Proxies []netip.Prefix `yaml:"-"`
	// Exempt is the infrastructure, parsed.
	Exempt incident.Infrastructure `yaml:"-"`
	// Opened are the integrations by name, with their settings.
	Opened []Integration `yaml:"-"`
	// Dir is the folder that relative paths start from.
	Dir string `yaml:"-"`

	catalog integrations.Catalog
	file    string
	// secretFiles are the files that secrets were read from, and inline reports
	// whether there are secrets in the configuration itself.
	secretFiles []string
	inline      bool
}

// Temporal selects the engine that runs the cases.
type Temporal struct {
	Address   string      `yaml:"address" doc:"embedded, or host:port of a Temporal frontend."`
	Namespace string      `yaml:"namespace" doc:"Namespace in Temporal."`
	TLS       *engine.TLS `yaml:"tls" doc:"TLS towards Temporal; an empty one uses the system's certificates."`
	// Keys encrypt the payloads in history.
	Keys integrations.Secret `yaml:"encryption_keys" doc:"Keys that encrypt what Temporal stores, as id:base64, separated by commas; the first encrypts, all decrypt."`
}

// Person is a person who may use the API.
type Person struct {
	ID    string `yaml:"id,required" doc:"The name that the record shows."`
	Email string `yaml:"email" doc:"E-mail address."`
	// Accounts has also what Slack and PagerDuty say.
	Accounts  map[string]string `yaml:"accounts" doc:"The person's user ids, by integration: its name in this file, or its kind; the name comes first. By it a click there is this person's, and who is on call is known."`
	Slack     string            `yaml:"slack" doc:"The same as accounts: { slack: … }."`
	PagerDuty string            `yaml:"pagerduty" doc:"The same as accounts: { pagerduty: … }."`
	Groups    []string          `yaml:"groups" doc:"Groups of approvers that the person belongs to."`
	// May is nil where it is not in the file.
	May         []incident.Right `yaml:"may" enum:"read,retry,extend,release,pause" default:"[read]" doc:"What the person may do, in addition to the rights of their groups; see [security](../security.md#who-may-do-what)."`
	TokenSHA256 string           `yaml:"token_sha256" private:"" doc:"SHA-256 of the person's token, in hex; stanch token makes one."`
}

// Daily says where people are told once a day which containments stand,
// until when, which were never proven and which end today.
type Daily struct {
	Use     string `yaml:"use,required" doc:"The messenger integration."`
	Channel string `yaml:"channel,required" doc:"The channel there."`
	At      string `yaml:"at" default:"09:00" doc:"Time of day."`
	Zone    string `yaml:"zone" default:"UTC" doc:"Time zone, such as Europe/Berlin."`
}

// Log is how a process logs.
type Log struct {
	Format logs.Format `yaml:"format" enum:"json,text" doc:"How each line is written."`
	Level  string      `yaml:"level" enum:"debug,info,warn,error" doc:"The least level that is logged."`
}

// Evidence is the destination of bundles.
type Evidence struct {
	Dir string `yaml:"dir" doc:"Folder for evidence bundles; below data when empty."`
}

// defaultMemory keeps the peak of a storm below 512 MiB, and minMemory is what an engine
// at rest leaves the garbage collector to work with.
const (
	defaultMemory = 360 << 20
	minMemory     = 128 << 20
)

func defaults() *Config {
	return &Config{
		Listen: "127.0.0.1:8080", Data: "data",
		Memory:    defaultMemory,
		Temporal:  Temporal{Address: Embedded, Namespace: "stanch"},
		Daily:     Daily{At: "09:00", Zone: "UTC"},
		Telemetry: Telemetry{Traces: Traces{Header: "authorization", Sample: 1}},
		Log:       Log{Format: logs.JSON, Level: "info"},
	}
}

// Default is the configuration without a file: the embedded engine over the
// simulated estate, with the library's playbooks in shadow mode, and no access
// for anyone.
func Default(data string, catalog integrations.Catalog) (*Config, error) {
	return Parse("the defaults", fmt.Appendf(nil, "data: %q\n", data), catalog)
}

// simulate replaces integrations that the file does not name: one simulated
// estate, kept next to the engine's data, so that its containments end with their
// leases also after a restart.
func (c *Config) simulate(spec integrations.Spec) playbooks.Issues {
	var estate playbooks.Node
	text := fmt.Appendf(nil, "{ kind: %s, path: %q }", spec.Kind, filepath.Join(c.Data, "estate.jsonl"))
	issues := playbooks.DecodeStrict("the simulated estate", text, &estate)
	for _, name := range spec.StandsFor {
		issues = append(issues, c.openIntegration(name, estate)...)
	}
	return issues
}

// Load reads a file. The error has all faults, each with its position.
func Load(file string, catalog integrations.Catalog, overrides ...func(*Config)) (*Config, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the configuration: there is no file %q", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(file, data, catalog, overrides...)
}

// Parse reads the text of a file. Overrides are settings of the command line;
// they are applied before anything is derived from the settings.
func Parse(file string, data []byte, catalog integrations.Catalog, overrides ...func(*Config)) (*Config, error) {
	c := defaults()
	c.catalog, c.file, c.Dir = catalog, file, filepath.Dir(file)
	private := []playbooks.Option{playbooks.FileTwin(reflect.TypeFor[integrations.Secret](), c.readSecret), playbooks.Shown(shown(catalog))}
	issues := playbooks.DecodeStrict(file, data, c, append(private, playbooks.Expand(expand), playbooks.Inline(func() { c.inline = true }))...)
	c.Data = c.Path(c.Data)
	for _, override := range overrides {
		override(c)
	}
	issues = append(issues, c.openIntegrations()...)
	var root playbooks.Node
	// Faults of the form were reported above.
	_ = playbooks.DecodeStrict(file, data, &root, private...)
	issues = append(issues, c.readRoles(root.Get("roles"))...)
	issues = append(issues, c.Traffic.read(c.AssetRoles)...)
	issues = append(issues, c.Traffic.checkAgents(root.Get("traffic").Get("agents"))...)
	issues = append(issues, c.Routes.read(root.Get("routes"))...)
	issues = append(issues, c.readInfrastructure(root.Get("infrastructure"))...)
	issues = append(issues, c.readSharedDestinations(root.Get("shared_destinations"))...)
	issues = append(issues, c.readTrustedProxies(root.Get("trusted_proxies"))...)
	issues = append(issues, c.check(root)...)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// shown are the words of the file that messages may show: its keys and the
// words of closed sets. None of them is a secret.
func shown(catalog integrations.Catalog) []string {
	secret := reflect.TypeFor[integrations.Secret]()
	words := append(catalog.SourceKinds(), Embedded, "kind", "rate", "sees", "exits", string(incident.SensorBefore), string(incident.SensorAfter), traffic.DefaultLimits)
	words = append(words, playbooks.WordsOf(reflect.TypeFor[Config](), secret)...)
	words = append(words, playbooks.WordsOf(reflect.TypeFor[traffic.RoleLimits](), secret)...)
	for _, s := range catalog.Integrations {
		words = append(words, s.Kind)
		words = append(words, playbooks.WordsOf(reflect.TypeOf(s.NewConfig()), secret)...)
	}
	for _, t := range catalog.Transports {
		words = append(words, t.Kind)
		words = append(words, playbooks.WordsOf(reflect.TypeOf(t.NewConfig()), secret)...)
	}
	return words
}

// variableName matches names of variables. Any other text after ${env: may be the
// secret itself.
var variableName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// expand replaces ${env:NAME} by the variable; one that is not set is an error,
// as an empty secret would grant access.
func expand(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		variable, isEnv := strings.CutPrefix(name, "env:")
		if !closed || !isEnv {
			return "", errors.New("after ${ comes env:NAME}")
		}
		value, set := os.LookupEnv(variable)
		switch {
		case !set && !variableName.MatchString(variable):
			return "", errors.New("the environment has no variable of that name")
		case !set:
			return "", fmt.Errorf("the environment has no %s", variable)
		}
		out.WriteString(value)
		text = after
	}
}

// Path makes a path of the file absolute: it starts from the file's folder.
func (c *Config) Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

// check finds faults other than those of the form.
func (c *Config) check(root playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		issues = append(issues, root.Get("listen").Issue("%s is not host:port, such as 127.0.0.1:8080", root.Get("listen").Quoted()))
	}
	issues = append(issues, c.checkTLS(root.Get("tls"))...)
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		issues = append(issues, root.Get("public_url").Issue("%s is not an address such as https://stanch.example", root.Get("public_url").Quoted()))
	}
	if c.Memory < minMemory {
		issues = append(issues, root.Get("memory").Issue("%s is less than %s: the engine alone takes that", root.Get("memory").Quoted(), incident.FormatSize(minMemory)))
	}
	if t := c.Temporal.TLS; t != nil {
		t.CA, t.Cert, t.Key = c.Path(t.CA), c.Path(t.Cert), c.Path(t.Key)
	}
	if c.Temporal.Keys != "" {
		if _, err := engine.ParseKeys(c.Temporal.Keys); err != nil {
			issues = append(issues, root.Get("temporal").Issue("%v", err))
		}
	}
	issues = append(issues, c.Telemetry.Metrics.check(root.Get("telemetry").Get("metrics"))...)
	issues = append(issues, c.checkTraces(root.Get("telemetry").Get("traces"))...)
	issues = append(issues, c.checkSources(root.Get("sources"))...)
	issues = append(issues, c.checkDaily(root.Get("standing"))...)
	issues = append(issues, c.checkPeople(root.Get("people"))...)
	return append(issues, c.checkRights(root)...)
}

func (c *Config) checkDaily(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	if c.Daily.Use == "" {
		return nil
	}
	if !slices.ContainsFunc(c.Opened, func(i Integration) bool { return i.Name == c.Daily.Use }) {
		issues = append(issues, node.Get("use").Issue("no integration %s is configured", node.Get("use").Quoted()))
	}
	if _, err := time.Parse("15:04", c.Daily.At); err != nil {
		issues = append(issues, node.Get("at").Issue("invalid time of day %s: write it like 09:00", node.Get("at").Quoted()))
	}
	if _, err := time.LoadLocation(c.Daily.Zone); err != nil {
		issues = append(issues, node.Get("zone").Issue("unknown time zone %s", node.Get("zone").Quoted()))
	}
	return issues
}

func (c *Config) checkPeople(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	owner := map[string]string{}
	for i, p := range c.People {
		name := personName(node, i)
		issues = append(issues, c.readAccounts(&c.People[i], name, node.At(i))...)
		if sum, err := hex.DecodeString(p.TokenSHA256); p.TokenSHA256 != "" && (err != nil || len(sum) != sha256.Size) {
			issues = append(issues, node.At(i).Get("token_sha256").Issue("person %s: token_sha256 is not 64 hex digits; stanch token makes a token and its digest", name))
		}
		key := strings.ToLower(p.TokenSHA256)
		if other, ok := owner[key]; ok && key != "" {
			issues = append(issues, node.At(i).Get("token_sha256").Issue("person %s has the same token as %s: it identifies neither", name, other))
		}
		owner[key] = name
		// Whoever has no id was complained about for that.
		if id := node.At(i).Get("id"); p.ID != "" && slices.ContainsFunc(c.People[:i], func(o Person) bool { return o.ID == p.ID }) {
			issues = append(issues, id.Issue("there are two people with the id %s", id.Quoted()))
		}
	}
	return issues
}

// personName is the id of a person for a message, or the place in the list
// where the id is more than a word.
func personName(node playbooks.Node, i int) string {
	quoted := node.At(i).Get("id").Quoted()
	if name := strings.Trim(quoted, `"`); name != quoted {
		return name
	}
	return fmt.Sprintf("%d", i+1)
}

// EvidenceDir is the folder of bundles.
func (c *Config) EvidenceDir() string {
	if c.Evidence.Dir != "" {
		return c.Path(c.Evidence.Dir)
	}
	return filepath.Join(c.Data, "evidence")
}

// IncidentPerson is the person as the engine knows them.
func (p Person) IncidentPerson() incident.Person {
	return incident.Person{ID: p.ID, Groups: p.Groups}
}
