// Package windowsqos limits what one program of a Windows device sends, by a QoS policy
// that a script of ours puts in place. The script is run by the EDR that is configured under
// another name.
//
// It is written after Microsoft's documents, and was never tried on a Windows machine.
//
// https://learn.microsoft.com/en-us/powershell/module/netqos/new-netqospolicy
package windowsqos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	defaultWait = 12 * time.Second
	minWait     = time.Second
	maxWait     = 20 * time.Second
	// pollFirst and pollMost are how soon the EDR is asked again whether a script has ended.
	pollFirst = 500 * time.Millisecond
	pollMost  = 3 * time.Second
)

// Config is the configuration in stanch.yaml.
type Config struct {
	Through string        `yaml:"through,required" through:"Runner" doc:"The name of the integration whose EDR runs the script."`
	Script  string        `yaml:"script" doc:"The script's name in the EDR's library."`
	Wait    time.Duration `yaml:"wait" doc:"How long to wait for a device to run the script, between 1s and 20s. What takes longer is looked for again later."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "windows-qos",
		Summary:    "Limits what one program of a Windows device sends, by a QoS policy that the EDR puts in place.",
		Implements: (*Enforcer)(nil),
		Actions:    []incident.Action{incident.RateLimit},
		ByProgram:  true,
		Permissions: []integrations.Permission{
			{Name: "the EDR's right to run a script of its library", Why: "the script puts the policy in place, reads it and removes it"},
			{Name: "stanch-netqos.ps1 in the EDR's library", Why: "what is run; it must be uploaded by hand"},
		},
		Script: Script,
		Example: "edr: { kind: sentinelone, url: https://usea1-example.sentinelone.net, token_file: /run/secrets/sentinelone }\n" +
			"host-qos: { kind: windows-qos, through: edr }",
		NewConfig: func() any {
			return &Config{Script: "stanch-netqos.ps1", Wait: defaultWait}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return Open(*c) }),
	}
}

// EDR is what this needs of the integration that it acts through.
type EDR interface {
	integrations.Endpoints
	integrations.Runner
}

// Enforcer limits programs. It is safe for concurrent use once it was joined.
type Enforcer struct {
	config Config
	edr    EDR
	now    func() time.Time
	first  time.Duration
	// devices holds one lock per device, by its id: the EDR runs one script at a time there.
	devices httpx.Turns[string]

	asked asked
}

// Check implements [integrations.Checker].
func (c Config) Check() error {
	switch {
	case c.Through == "":
		return errors.New("write through: the name of an EDR")
	case !plain(c.Script, "._-") || strings.HasPrefix(c.Script, ".") || strings.HasPrefix(c.Script, "-"):
		return fmt.Errorf("invalid name of a script %q: letters, digits and ._- are allowed", httpx.Line(c.Script))
	case c.Wait < minWait || c.Wait > maxWait:
		return fmt.Errorf("wait is %s: must be between %s and %s", c.Wait, minWait, maxWait)
	}
	return nil
}

// Open returns the enforcer that a configuration describes. Before it is used it must be
// joined with its EDR.
func Open(c Config) (*Enforcer, error) {
	if err := c.Check(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open windows-qos", "%w", err)
	}
	return &Enforcer{config: c, now: time.Now, first: pollFirst}, nil
}

// Join implements [integrations.Joiner].
func (e *Enforcer) Join(set *integrations.Set) error {
	edr, err := integrations.Use[EDR](set, e.config.Through)
	if err != nil {
		return err
	}
	e.edr = edr
	return nil
}

// Probe implements [integrations.Prober]. No document of an EDR says how to ask whether a
// script is in the library without running it.
func (e *Enforcer) Probe(context.Context) []integrations.Finding {
	if e.edr == nil {
		return []integrations.Finding{{What: "it is not joined with " + e.config.Through, Fix: "see what doctor found of that integration"}}
	}
	return []integrations.Finding{{
		What: "acts through " + e.config.Through + "; whether " + e.config.Script + " is in its library is seen when it is run first",
		OK:   true, Warning: true, Fix: "upload what stanch script windows-qos prints as " + e.config.Script,
	}}
}

// plain reports whether a text is not empty and of ASCII letters, digits and the others alone.
func plain(text, others string) bool {
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case c >= 0x80 || !strings.ContainsRune(others, c):
			return false
		}
	}
	return text != ""
}
