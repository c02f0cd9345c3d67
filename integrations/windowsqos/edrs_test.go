package windowsqos

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/crowdstrike"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/defender"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/sentinelone"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/integrations/wazuh"
	"github.com/stanch-soar/stanch/integrations/wazuh/scriptfake"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/integrations/windowsqos/netqosfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// product is an EDR in a test: its device, and how to open a client of a double of it, on whose
// devices scripts do as on the machines.
type product struct {
	device, os string
	open       func(t *testing.T, w *edrtest.World, m *netqosfake.Machines) any
}

// onScript has the devices run the script; of another name there is none.
func onScript(w *edrtest.World, m *netqosfake.Machines) {
	w.OnScript(func(h edrtest.Host, name, input string) edrtest.Result { return runs(m, h, name, input) })
}

func runs(m *netqosfake.Machines, h edrtest.Host, name, input string) edrtest.Result {
	if name != library {
		return edrtest.Result{Exit: 1, Stderr: "there is no " + name}
	}
	r := m.Run(h.ID, input)
	return edrtest.Result{Exit: r.Exit, Stdout: r.Stdout}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func connect[C any](t *testing.T, spec integrations.Spec, set func(*C)) any {
	t.Helper()
	config := spec.NewConfig()
	set(config.(*C))
	opened, err := spec.Connect(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := opened.(interface{ Close() error }); ok {
		t.Cleanup(func() { _ = c.Close() })
	}
	return opened
}

func access() httpx.Access { return httpx.Access{Timeout: 20 * time.Second} }

func products() map[string]product {
	return map[string]product{
		"sentinelone": {"612345678901234567", "Windows 11", func(t *testing.T, w *edrtest.World, m *netqosfake.Machines) any {
			onScript(w, m)
			d := sentinelonefake.New(t, w, sentinelonefake.Options{Token: "token", Unlimited: true, Scripts: []sentinelonefake.Script{{ID: "5000001", Name: library}}})
			return connect(t, sentinelone.Spec(), func(c *sentinelone.Config) {
				c.URL, c.Token, c.Downloads, c.Access = serve(t, d.Handler()), "token", []string{"127.0.0.1"}, access()
			})
		}},
		"elasticdefend": {"0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", "Windows 10 Pro", func(t *testing.T, w *edrtest.World, m *netqosfake.Machines) any {
			w.OnScript(func(h edrtest.Host, command, _ string) edrtest.Result {
				args, ours := strings.CutPrefix(command, `powershell.exe -NoProfile -NonInteractive -File C:\ProgramData\Stanch\`+library+" ")
				if !ours {
					return edrtest.Result{Exit: 1, Stderr: "not found: " + command}
				}
				return runs(m, h, library, args)
			})
			d := defendfake.New(t, w, defendfake.Options{})
			return connect(t, elastic.DefendSpec(), func(c *elastic.DefendConfig) {
				c.URL = serve(t, d.Handler())
				c.Elasticsearch, c.APIKey, c.Access = c.URL, integrations.Secret(defendfake.Administrator().Key), access()
			})
		}},
		"crowdstrike": {"0a1b2c3d4e5f60718293a4b5c6d7e8f9", "Windows 11", func(t *testing.T, w *edrtest.World, m *netqosfake.Machines) any {
			onScript(w, m)
			address := serve(t, falconfake.New(t, w, falconfake.Options{}).Handler())
			form := url.Values{"client_id": {"client"}, "client_secret": {"secret"}}
			upload(t, address+"/oauth2/token", form, address+"/real-time-response/entities/scripts/v1", map[string]string{
				"name": library, "description": "for tests", "permission_type": "group", "platform": "windows",
			})
			return connect(t, crowdstrike.Spec(), func(c *crowdstrike.Config) {
				c.ClientID, c.ClientSecret, c.Cloud, c.URL, c.Access = "client", "secret", "us-1", address, access()
			})
		}},
		"wazuh": {"100000042", "Microsoft Windows 10 Pro", func(t *testing.T, w *edrtest.World, m *netqosfake.Machines) any {
			machines := scriptfake.Install(w, func(h edrtest.Host, name, input string) edrtest.Result { return runs(m, h, name, input) })
			d := wazuhfake.New(t, w, wazuhfake.Options{Password: "the-secret", IndexPassword: "the-other-secret", PerMinute: 100_000, Scripts: machines.Files()})
			return connect(t, wazuh.Spec(), func(c *wazuh.Config) {
				c.URL, c.User, c.Password = serve(t, d.Handler()), "stanch", "the-secret"
				c.IndexerURL, c.IndexerUser, c.IndexerPassword, c.Access = serve(t, d.Indexer()), "stanch", "the-other-secret", access()
			})
		}},
		"defender": {"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "Windows 10", func(t *testing.T, w *edrtest.World, m *netqosfake.Machines) any {
			onScript(w, m)
			d := defenderfake.New(t, w, defenderfake.Options{ClientSecret: "the-secret", Unlimited: true})
			address, storage := serve(t, d.Handler()), serve(t, d.Storage())
			d.SetStorageURL(storage)
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.ClientID}, "client_secret": {"the-secret"}, "scope": {"https://api.securitycenter.microsoft.com/.default"}}
			upload(t, address+"/"+d.Tenant+"/oauth2/v2.0/token", form, address+"/api/libraryfiles", map[string]string{"Description": "for tests"})
			return connect(t, defender.Spec(), func(c *defender.Config) {
				c.Tenant, c.ClientID, c.ClientSecret, c.Downloads = d.Tenant, d.ClientID, "the-secret", []string{strings.TrimPrefix(storage, "http://")}
				c.URL, c.GraphURL, c.LoginURL, c.Access = address, address, address, access()
			})
		}},
	}
}

// upload puts the script into a library, as people do by hand: form is what gives a token at
// login, and fields are what goes with the script.
func upload(t *testing.T, login string, form url.Values, path string, fields map[string]string) {
	t.Helper()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(post(t, login, "application/x-www-form-urlencoded", "", strings.NewReader(form.Encode())), &token); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", library)
	if err == nil {
		_, err = file.Write([]byte(Script()))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	post(t, path, w.FormDataContentType(), token.Access, &body)
}

func post(t *testing.T, address, kind, token string, body io.Reader) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answered, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answered.Body.Close() }()
	text, err := io.ReadAll(answered.Body)
	if err != nil || answered.StatusCode/100 != 2 {
		t.Fatalf("post to %s: %s %s %v", address, answered.Status, text, err)
	}
	return text
}

// Through every EDR that runs scripts a limit is put in place, read, tightened and given back,
// and what the device refuses comes back as what it is.
func TestThroughEveryEDR(t *testing.T) {
	for name, p := range products() {
		t.Run(name, func(t *testing.T) {
			w := edrtest.New(t, time.Now)
			w.Prompt()
			m := netqosfake.New(netqosfake.Options{Absent: []string{`C:\Tools\gone.exe`}})
			target, err := incident.DeviceTarget(p.device, "ws-042")
			if err != nil {
				t.Fatal(err)
			}
			w.Add(edrtest.Seen(edrtest.Host{ID: p.device, Name: "ws-042"}, p.os))
			e, err := Open(Config{Through: "edr", Script: library, Wait: maxWait})
			if err != nil {
				t.Fatal(err)
			}
			set := integrations.NewSet()
			set.Add("edr", integrations.Spec{Kind: name}, p.open(t, w, m))
			if err := integrations.Join(set, e); err != nil {
				t.Fatal(err)
			}
			e.first = time.Millisecond
			x := &site{Enforcer: e}
			o := order(t, func(o *incident.Order) {
				o.Target, o.Program = target, `C:\Program Files (x86)\Jörg's [2]\send it.exe`
				o.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "192.0.2.53", RemotePort: 53, Transport: "udp"}
			})
			if err := x.Plan(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if r := x.read(t, o); r.Stands || r.Pending {
				t.Errorf("at first it reads %+v", r)
			}
			x.apply(t, o)
			x.apply(t, o)
			o.Rate /= 2
			x.apply(t, o)
			if r := x.read(t, o); !r.Stands || r.Rate != o.Rate || r.Key != o.Key {
				t.Errorf("tightened it reads %+v", r)
			}
			want := netqosfake.Policy{Name: nameOf(o.Key), AppPath: o.Program, Prefix: "192.0.2.53/32", Port: 53, Protocol: "UDP", Bps: 1_000_000, Precedence: 250}
			if got := m.Policies(p.device); len(got) != 1 || got[0] != want || m.Effects() != 2 {
				t.Errorf("after %d effects the device has %+v, want %+v", m.Effects(), got, want)
			}
			gone := order(t, func(o *incident.Order) { o.Target, o.Program, o.Key = target, `C:\Tools\gone.exe`, "another" })
			_, err = x.Apply(t.Context(), gone)
			wants(t, "a program that is not there", err, integrations.Invalid)
			if !strings.Contains(words(err), "no such program") {
				t.Errorf("the words are %q (%v)", words(err), err)
			}
			if _, err := x.Undo(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if r := x.read(t, o); r.Stands || r.Pending || len(m.Policies(p.device)) != 0 {
				t.Errorf("given back it reads %+v, and there are %+v", r, m.Policies(p.device))
			}
		})
	}
}
