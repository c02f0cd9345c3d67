package defender

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// certificateSoon is how long before its end a certificate is reported.
const certificateSoon = 30 * 24 * time.Hour

// Probe implements [integrations.Prober].
func (c *Client) Probe(ctx context.Context) []integrations.Finding {
	var api, graph []integrations.Finding
	_ = httpx.All(
		func() error { api = c.probeAPI(ctx); return nil },
		func() error { graph = c.probeGraph(ctx); return nil },
	)
	return slices.Concat(api, graph, c.probeCredential(), []integrations.Finding{{
		What: "cannot tell whether " + killScript + " is in the library of live response: reading the library takes the right to change it",
		OK:   true, Warning: true, Fix: "where playbooks kill processes, upload it as the page of this kind says",
	}})
}

func (c *Client) probeAPI(ctx context.Context) []integrations.Finding {
	rights := c.probeRights(ctx, c.api, "Defender", readMachines, isolate, readUsers, liveResponse)
	a, err := c.api.ask(ctx, call{op: "ask Defender for an action", method: http.MethodGet, path: query("/api/machineactions", "$top", "1"), members: []string{"value"}}, nil, nil)
	if err != nil {
		return append(rights, c.problem(err, readMachines))
	}
	findings := append(rights, integrations.Finding{What: "Defender answers at " + c.api.origin, OK: true})
	return append(findings, httpx.Clock("Defender's", a.Header, c.now()))
}

// probeGraph asks hunting for nothing: no device has the id, and the window is a minute.
func (c *Client) probeGraph(ctx context.Context) []integrations.Finding {
	rights := c.probeRights(ctx, c.graph, "Microsoft Graph", hunting)
	now := c.now()
	nobody := machineID(strings.Repeat("0", 40))
	_, err := c.hunt(ctx, "ask advanced hunting", events("DeviceInfo", nobody, now.Add(-time.Minute), now).newest(1, []string{"Timestamp"}))
	if err != nil {
		return append(rights, c.problem(err, hunting))
	}
	return append(rights, integrations.Finding{What: "advanced hunting answers at " + c.graph.origin, OK: true})
}

// problem tells of an error, and how to fix it.
func (c *Client) problem(err error, needs string) integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "do as it says"}
	switch integrations.KindOf(err) {
	case integrations.Denied:
		f.Fix = fmt.Sprintf("check tenant, client_id and credential, that the tenant is in the cloud %q, and that %s is granted with an administrator's consent", c.config.Cloud, needs)
	case integrations.NotFound:
		f.Fix = fmt.Sprintf("check cloud: it is %q; a government tenant has servers of its own", c.config.Cloud)
	case integrations.Throttled, integrations.Unavailable, integrations.Ambiguous, integrations.Conflict:
		f.Fix = fmt.Sprintf("check the way there, also through a proxy, and cloud, which is %q: a government tenant has servers of its own", c.config.Cloud)
	case integrations.Invalid:
	}
	return f
}

// probeRights compares the roles in a token with the permissions that are needed. The token
// is Microsoft's own business, and is read without being verified: it is told what is
// there, and nothing relies on it.
func (c *Client) probeRights(ctx context.Context, d door, of string, needed ...string) []integrations.Finding {
	token, err := d.tokens.Get(ctx)
	if err != nil {
		return []integrations.Finding{c.problem(err, strings.Join(needed, ", "))}
	}
	granted, ok := rolesOf(token)
	if !ok {
		return []integrations.Finding{{
			What: "cannot tell which permissions of " + of + " the application has: its token cannot be read", OK: true, Warning: true,
			Fix: "compare the application's API permissions with the page of this kind",
		}}
	}
	var findings []integrations.Finding
	for _, p := range permissions() {
		if !slices.Contains(needed, p.Name) || slices.Contains(granted, p.Name) || p.Name == readMachines && slices.Contains(granted, "Machine.ReadWrite.All") {
			continue
		}
		f := integrations.Finding{
			What: fmt.Sprintf("the application lacks %s (%s)", p.Name, p.Why),
			Fix:  "add it to the application as an application permission, and have an administrator consent",
		}
		// These two are for a part of what can be done.
		f.OK = p.Name == readUsers || p.Name == liveResponse
		f.Warning = f.OK
		findings = append(findings, f)
	}
	if len(findings) == 0 {
		return []integrations.Finding{{What: fmt.Sprintf("the application has the permissions of %s that it needs", of), OK: true}}
	}
	return findings
}

// rolesOf are the roles that a token lists.
func rolesOf(token integrations.Secret) ([]string, bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, false
	}
	var claims struct {
		Roles []string `json:"roles"`
	}
	err = json.Unmarshal(payload, &claims)
	return claims.Roles, err == nil
}

// probeCredential tells until when the credential is good, where that can be read.
func (c *Client) probeCredential() []integrations.Finding {
	if c.config.ClientCertificate == "" {
		return []integrations.Finding{{
			What: "cannot tell when the client secret ends: Microsoft does not say it to the application", OK: true, Warning: true,
			Fix: "note the date of the application's Certificates & secrets page, or use a certificate",
		}}
	}
	end, err := certificateEnd(c.config.ClientCertificate)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: "write the certificate as PEM"}}
	}
	left := end.Sub(c.now())
	f := integrations.Finding{What: "the certificate is good until " + end.UTC().Format(time.DateOnly), OK: true}
	if left < certificateSoon {
		f.Warning, f.OK = left > 0, left > 0
		f.Fix = "make a new certificate, list it with the application, and configure it"
	}
	return []integrations.Finding{f}
}

func certificateEnd(path string) (time.Time, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the client certificate: %w", err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, fmt.Errorf("read the client certificate %q: %w", path, err)
		}
		return certificate.NotAfter, nil
	}
	return time.Time{}, fmt.Errorf("read the client certificate: %q has none in PEM form", path)
}
