package config

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Integration is one configured integration.
type Integration struct {
	Name string
	Spec integrations.Spec
	// Rate is how many operations a second may be begun on the product by all workers
	// together, as the file says; 0 is not said. See [Integration.Pace].
	Rate Rate
	// Sees says, of a flow store, where its sensors sit, seen from an enforcer of that name.
	Sees map[string]incident.SensorPlace
	// Exits says, of a flow store, which exit the sensors of a name, or of a pattern, watch.
	Exits Exits
	// Config is what the Spec's NewConfig returned, filled in.
	Config any
}

// openIntegrations decodes every integration by its kind.
func (c *Config) openIntegrations() playbooks.Issues {
	simulation := slices.IndexFunc(c.catalog.Integrations, func(s integrations.Spec) bool { return len(s.StandsFor) > 0 })
	if c.Integrations.IsZero() && simulation >= 0 {
		return c.simulate(c.catalog.Integrations[simulation])
	}
	var issues playbooks.Issues
	for _, name := range c.Integrations.Keys() {
		issues = append(issues, c.openIntegration(name, c.Integrations.Get(name))...)
	}
	return slices.Concat(issues, c.checkThrough(), c.checkSees(), c.checkExits())
}

// checkThrough checks the settings that name another integration, through which one acts:
// they are the fields with the tag through, whose value is the capability that the other one
// needs. It puts what acts through another after all that does not.
func (c *Config) checkThrough() playbooks.Issues {
	var issues playbooks.Issues
	var first, then []Integration
	for _, i := range c.Opened {
		of, capability := i.through()
		if capability == "" {
			first = append(first, i)
			continue
		}
		then = append(then, i)
		node := c.Integrations.Get(i.Name).Get("through")
		at := slices.IndexFunc(c.Opened, func(o Integration) bool { return o.Name == of })
		switch {
		case of == "" || node.IsZero(): // That it is missing was said.
		case at < 0 && !c.Integrations.Get(of).IsZero(): // What is wrong with it was said.
		case at < 0:
			issues = append(issues, node.Issue("there is no integration %s to act through; there are %s", node.Quoted(), strings.Join(c.Integrations.Keys(), ", ")))
		case !c.Opened[at].Spec.Can(capability):
			issues = append(issues, node.Issue("integration %s is of kind %s, which has no %s to act through", node.Quoted(), c.Opened[at].Spec.Kind, capability))
		}
	}
	c.Opened = slices.Concat(first, then)
	return issues
}

// through is the name of the integration that this one acts through, and the capability that
// it needs there; empty where it acts by itself.
func (i Integration) through() (name, capability string) {
	v := reflect.ValueOf(i.Config).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		if capability, tagged := f.Tag.Lookup("through"); tagged && f.Type.Kind() == reflect.String {
			return v.FieldByIndex(f.Index).String(), capability
		}
	}
	return "", ""
}

func (c *Config) openIntegration(name string, node playbooks.Node) playbooks.Issues {
	var head struct {
		Kind  string                          `yaml:"kind,required"`
		Rate  Rate                            `yaml:"rate"`
		Sees  map[string]incident.SensorPlace `yaml:"sees"`
		Exits Exits                           `yaml:"exits"`
	}
	shared := []string{"kind", "rate", "sees", "exits"}
	others := slices.DeleteFunc(node.Keys(), func(k string) bool { return slices.Contains(shared, k) })
	if bad := node.Without(others...).Decode(&head); len(bad) > 0 {
		return bad
	}
	spec, ok := c.catalog.Integration(head.Kind)
	if !ok {
		return playbooks.Issues{node.Get("kind").Issue("there is no integration kind %s; there are %s", node.Get("kind").Quoted(), strings.Join(c.catalog.IntegrationKinds(), ", "))}
	}
	config := spec.NewConfig()
	issues := node.Without(shared...).Decode(config)
	if pace := spec.Pace(""); pace > 0 && float64(head.Rate) > pace {
		issues = append(issues, node.Get("rate").Issue("%s is more than the product takes: at most %s", node.Get("rate").Quoted(), Rate(pace)))
	}
	if checker, ok := config.(integrations.Checker); ok && len(issues) == 0 {
		if err := checker.Check(); err != nil {
			issues = append(issues, node.Issue("integration %q: %v", name, err))
		}
	}
	c.resolvePaths(config)
	c.Opened = append(c.Opened, Integration{Name: name, Spec: spec, Rate: head.Rate, Sees: head.Sees, Exits: head.Exits, Config: config})
	return issues
}

// resolvePaths makes the settings of an integration that are paths start from the file's
// folder: path, and those whose field has the tag path.
func (c *Config) resolvePaths(config any) { c.resolvePathsOf(reflect.ValueOf(config).Elem()) }

func (c *Config) resolvePathsOf(v reflect.Value) {
	for _, f := range reflect.VisibleFields(v.Type()) {
		if _, tagged := f.Tag.Lookup("path"); (tagged || f.Name == "Path") && f.Type.Kind() == reflect.String {
			at := v.FieldByIndex(f.Index)
			at.SetString(c.Path(at.String()))
		}
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
			for i := range v.FieldByIndex(f.Index).Len() {
				c.resolvePathsOf(v.FieldByIndex(f.Index).Index(i))
			}
		}
	}
}

// Pace is how many operations of a class a second may be begun by all workers together; the
// empty class is what no other has, and 0 is no limit. The file may make it slower than the
// product's limits, for all classes.
func (i Integration) Pace(class string) float64 {
	pace, own := i.Spec.Pace(class), float64(i.Rate)
	if own > 0 && (pace == 0 || own < pace) {
		return own
	}
	return pace
}

// Unmade is the file that opening the integration would make, where it makes one
// and there is none yet.
func (i Integration) Unmade() (path string, ok bool) {
	if !i.Spec.MakesFile {
		return "", false
	}
	path = reflect.ValueOf(i.Config).Elem().FieldByName("Path").String()
	_, err := os.Stat(path)
	return path, path != "" && errors.Is(err, fs.ErrNotExist)
}

// MovedTo is the integration with its file at another path.
func (i Integration) MovedTo(path string) Integration {
	moved := reflect.New(reflect.TypeOf(i.Config).Elem())
	moved.Elem().Set(reflect.ValueOf(i.Config).Elem())
	moved.Elem().FieldByName("Path").SetString(path)
	i.Config = moved.Interface()
	return i
}
