package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	_ integrations.Messenger = (*Webhook)(nil)
	_ integrations.Updater   = (*Webhook)(nil)
	_ integrations.Prober    = (*Webhook)(nil)
)

const secret = "correct-horse-battery-staple"

// receiver is a receiver as a team would write it: it accepts signed requests only,
// answers a repeated request without doing it again, and keeps messages by their
// keys.
type receiver struct {
	*faulty.Server
	t testing.TB

	mu       sync.Mutex
	seen     map[string]bool
	messages []document
	last     *http.Request
	body     []byte
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{t: t, seen: map[string]bool{}}
	r.Server = faulty.New(t, http.HandlerFunc(r.take))
	return r
}

func (r *receiver) open() *Webhook {
	r.t.Helper()
	return dial(r.t, Config{URL: integrations.Secret(r.URL() + "/hooks/s3cr3t-path?token=s3cr3t-query"), Secret: secret, Insecure: true})
}

func dial(t testing.TB, c Config) *Webhook {
	t.Helper()
	w, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil || !authentic(req.Header.Get("Stanch-Signature"), body, time.Now()) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	r.last, r.body = req, body
	id := req.Header.Get("Idempotency-Key")
	if r.seen[id] {
		return
	}
	var d document
	if err := json.Unmarshal(body, &d); err != nil || req.Header.Get("Content-Type") != "application/json" || d.Version != 1 || id == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(r.keep(d))
	r.seen[id] = true
	fmt.Fprint(w, "thank you")
}

func (r *receiver) keep(d document) int {
	if d.Event == "post" {
		r.messages = append(r.messages, d)
		return http.StatusCreated
	}
	for i := range r.messages {
		if r.messages[i].Key == d.Key {
			r.messages[i] = d
			return http.StatusOK
		}
	}
	return http.StatusNotFound
}

// authentic checks a signature by the documentation.
func authentic(header string, body []byte, now time.Time) bool {
	stamp, sum, _ := strings.Cut(header, ",")
	t, err := strconv.ParseInt(strings.TrimPrefix(stamp, "t="), 10, 64)
	if err != nil || now.Sub(time.Unix(t, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", t, body)
	return hmac.Equal([]byte(sum), []byte("v1="+hex.EncodeToString(mac.Sum(nil))))
}

func (r *receiver) sent() int { return len(r.texts()) }

func (r *receiver) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, m := range r.messages {
		out = append(out, m.Title)
	}
	return out
}

func knobs() contract.Knobs {
	return contract.Knobs{Kind: "webhook", Secrets: []string{secret, "s3cr3t-path", "s3cr3t-query"}}
}

func TestMessenger(t *testing.T) {
	contract.Messenger(t, contract.MessengerHarness{Knobs: knobs(), Open: func(t testing.TB) contract.MessengerWorld {
		r := newReceiver(t)
		return contract.MessengerWorld{Messenger: r.open(), Channel: "sec", Sent: r.sent, Break: r.Break}
	}})
}

func TestUpdater(t *testing.T) {
	contract.Updater(t, contract.UpdaterHarness{Knobs: knobs(), Open: func(t testing.TB) contract.UpdaterWorld {
		r := newReceiver(t)
		w := r.open()
		return contract.UpdaterWorld{
			Messenger: w, Updater: w, Channel: "sec", Unknown: incident.Receipt{Ref: "never-posted"}, Seen: r.texts, Break: r.Break,
		}
	}})
}

// wrong fails unless err is of the kind and keeps the secrets.
func wrong(t testing.TB, err error, kind integrations.Kind) {
	t.Helper()
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
	for _, s := range knobs().Secrets {
		if strings.Contains(fmt.Sprintf("%+v %#v", err, err), s) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestRequest(t *testing.T) {
	r := newReceiver(t)
	m := integrations.Message{
		Key: "run/question-1", Channel: "sec", Thread: "run/digest-1", Mention: "<@U1>", Severity: "high",
		Title: "ws-042 <b>sends</b>\n4 GiB", Lines: []string{"Who: x.exe"}, URL: "https://stanch.example/v1/cases/1",
	}
	receipt, err := r.open().Post(t.Context(), m)
	if err != nil || receipt.Ref != m.Key || receipt.At.IsZero() || receipt.Detail != "" {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	const want = `{"version":1,"event":"post","key":"run/question-1","channel":"sec","thread":"run/digest-1","mention":"\u003c@U1\u003e",` +
		`"severity":"high","title":"ws-042 \u003cb\u003esends\u003c/b\u003e\n4 GiB","lines":["Who: x.exe"],"url":"https://stanch.example/v1/cases/1"}`
	if diff := cmp.Diff(want, string(r.body)); diff != "" {
		t.Error(diff)
	}
	if r.last.Method != http.MethodPost || r.last.URL.String() != "/hooks/s3cr3t-path?token=s3cr3t-query" || r.last.Header.Get("Idempotency-Key") != m.Key {
		t.Errorf("request %s %s by %q", r.last.Method, r.last.URL, r.last.Header.Get("Idempotency-Key"))
	}
	if receipt, err = r.open().Update(t.Context(), receipt, m); err != nil || receipt.Ref != m.Key {
		t.Fatalf("receipt %+v, %v", receipt, err)
	}
	if id := r.last.Header.Get("Idempotency-Key"); id != m.Key+"/"+incident.DigestOf(r.body) {
		t.Errorf("an update is known as %q", id)
	}
}

func TestSignature(t *testing.T) {
	r := newReceiver(t)
	message := integrations.Message{Key: "k", Channel: "sec"}
	late := r.open()
	late.now = func() time.Time { return time.Now().Add(-time.Hour) }
	_, err := late.Post(t.Context(), message)
	wrong(t, err, integrations.Denied)
	other := r.open()
	other.secret = "another-secret-of-theirs"
	_, err = other.Post(t.Context(), message)
	wrong(t, err, integrations.Denied)
	if r.sent() != 0 {
		t.Error("what was not signed arrived")
	}
}

func TestOddKeys(t *testing.T) {
	r := newReceiver(t)
	w := r.open()
	for i, key := range []string{"two words", " k", "k\r\nX-Other: 1", "schlüssel", strings.Repeat("k", 256)} {
		for range 2 {
			receipt, err := w.Post(t.Context(), integrations.Message{Key: key, Channel: "sec"})
			if err != nil || receipt.Ref != key || r.sent() != i+1 || r.messages[i].Key != key {
				t.Fatalf("%q: receipt %+v of %d messages, %v", key, receipt, r.sent(), err)
			}
		}
		if id := r.last.Header.Get("Idempotency-Key"); id != incident.DigestOf([]byte(key)) {
			t.Errorf("%q is known as %q", key, id)
		}
	}
	_, err := w.Update(t.Context(), incident.Receipt{}, integrations.Message{Key: "k"})
	wrong(t, err, integrations.Invalid)
}

// fill gives every field below v a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d.", *n))
	case reflect.Int:
		v.SetInt(int64(1000 + *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(1_700_000_000+*n), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

// leaves lists every value of a decoded document.
func leaves(v any, into map[string]int) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			leaves(inner, into)
		}
	case []any:
		for _, inner := range v {
			leaves(inner, into)
		}
	default:
		into[fmt.Sprint(v)]++
	}
}

// Every field of a message reaches the document, under a key in snake case.
func TestDocumentIsComplete(t *testing.T) {
	var m integrations.Message
	n := 0
	fill(reflect.ValueOf(&m).Elem(), &n)
	if n < 50 || m.Card.Question.Votes[0].Person == "" {
		t.Fatalf("only %d fields were filled", n)
	}
	body, err := json.Marshal(describe(eventPost, m))
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	have, want := map[string]int{}, map[string]int{}
	leaves(got, have)
	plain, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(plain, &all); err != nil {
		t.Fatal(err)
	}
	leaves(all, want)
	want["1"]++       // the version
	want[eventPost]++ // the event
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if strings.ContainsFunc(keysOf(got), func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
		t.Errorf("keys are not all in snake case: %s", keysOf(got))
	}
}

func keysOf(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			b.WriteString(key + " " + keysOf(inner))
		}
	case []any:
		for _, inner := range v {
			b.WriteString(keysOf(inner))
		}
	}
	return b.String()
}

func TestOpen(t *testing.T) {
	good := integrations.Secret(secret)
	for name, tt := range map[string]struct {
		config any
		why    string // empty: it opens
	}{
		"https":                {&Config{URL: "https://desk.example/s3cr3t-path", Secret: good}, ""},
		"http to this machine": {&Config{URL: "http://127.0.0.1:9000/", Secret: good, Insecure: true}, ""},
		"http by name":         {&Config{URL: "http://localhost:9000/", Secret: good, Insecure: true}, ""},
		"http by IPv6":         {&Config{URL: "http://[::1]:9000/", Secret: good, Insecure: true}, ""},
		"http unasked":         {&Config{URL: "http://127.0.0.1:9000/s3cr3t-path", Secret: good}, "insecure_http is not set"},
		"http elsewhere":       {&Config{URL: "http://desk.example/s3cr3t-path", Secret: good, Insecure: true}, "not on this machine"},
		"http nearly here":     {&Config{URL: "http://localhost.example/s3cr3t-path", Secret: good, Insecure: true}, "not on this machine"},
		"http private":         {&Config{URL: "http://10.0.0.1/s3cr3t-path", Secret: good, Insecure: true}, "not on this machine"},
		"no url":               {&Config{Secret: good}, "not an address"},
		"no host":              {&Config{URL: "https:///s3cr3t-path", Secret: good}, "not an address"},
		"not a url":            {&Config{URL: "https://desk.example:s3cr3t-path", Secret: good}, "not an address"},
		"another scheme":       {&Config{URL: "file://desk.example/s3cr3t-path", Secret: good}, "https://"},
		"with a password":      {&Config{URL: "https://u:s3cr3t-path@desk.example/", Secret: good}, "a password"},
		"a short secret":       {&Config{URL: "https://desk.example/", Secret: "s3cr3t-path"}, "shorter than 16 bytes"},
		"no authorities":       {&Config{URL: "https://desk.example/", Secret: good, CA: "absent.pem"}, "absent.pem"},
		"another's settings":   {"text", "string"},
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := Spec().Open(t.Context(), tt.config)
			if tt.why == "" {
				if err != nil || opened.(*Webhook).Close() != nil {
					t.Fatal(err)
				}
				return
			}
			if wrong(t, err, integrations.Invalid); !strings.Contains(err.Error(), tt.why) {
				t.Errorf("error %v does not say %q", err, tt.why)
			}
		})
	}
}

func TestExampleDecodes(t *testing.T) {
	var file struct {
		Integrations map[string]playbooks.Node `yaml:"integrations"`
	}
	issues := playbooks.DecodeStrict("stanch.yaml", []byte("integrations:\n  "+Spec().Example+"\n"), &file,
		playbooks.FileTwin(reflect.TypeFor[integrations.Secret](), func(string) (string, error) { return secret, nil }))
	if err := issues.Err(); err != nil {
		t.Fatal(err)
	}
	c := &Config{}
	if err := file.Integrations["desk"].Without("kind").Decode(c).Err(); err != nil {
		t.Fatal(err)
	}
	want := &Config{URL: "https://desk.example/stanch", Secret: secret, Networks: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the example is read as %+v", c)
	}
}

// secure starts a receiver behind TLS, and returns its address and the file of
// its authority.
func secure(t testing.TB, r *receiver) (address, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(r.take))
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}

func TestNetworksAndCertificates(t *testing.T) {
	r := newReceiver(t)
	address, ca := secure(t, r)
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, tt := range map[string]struct {
		config Config
		kind   integrations.Kind // empty: it arrives
	}{
		"as it should be":              {Config{CA: ca, Networks: here}, ""},
		"not in an allowed network":    {Config{CA: ca}, integrations.Invalid},
		"insecure_http allows no more": {Config{CA: ca, Insecure: true}, integrations.Invalid},
		"not of a known authority":     {Config{Networks: here}, integrations.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config.URL, tt.config.Secret = integrations.Secret(address+"/s3cr3t-path"), secret
			w, was := dial(t, tt.config), r.sent()
			found := w.Probe(t.Context())
			if len(found) != 1 || found[0].OK != (tt.kind == "") || found[0].OK != (found[0].Fix == "") || strings.Contains(found[0].What, "s3cr3t") || r.sent() != was {
				t.Errorf("findings %+v, after %d messages", found, r.sent())
			}
			_, err := w.Post(t.Context(), integrations.Message{Key: "k", Channel: "sec"})
			if tt.kind != "" {
				wrong(t, err, tt.kind)
			} else if err != nil || r.sent() != was+1 {
				t.Errorf("%d messages arrived, %v", r.sent()-was, err)
			}
		})
	}
}

func TestProbeFindsNobody(t *testing.T) {
	r := newReceiver(t)
	w := r.open()
	if found := w.Probe(t.Context()); len(found) != 1 || !found[0].OK || r.Calls() != 0 {
		t.Errorf("findings %+v after %d requests", found, r.Calls())
	}
	r.Break(contract.Down)
	if found := w.Probe(t.Context()); len(found) != 1 || found[0].OK || found[0].Fix == "" || strings.Contains(found[0].What, "s3cr3t") {
		t.Errorf("findings %+v", found)
	}
}

// Regardless of the file, nothing but https leaves this machine, and no error quotes
// the address.
func FuzzParseAddress(f *testing.F) {
	for _, address := range []string{"https://desk.example/s3cr3t", "http://127.0.0.1/", "http://localhost", "http://[::1%25lo]/", "https://a:b@c", "//x"} {
		f.Add(address, true)
		f.Add(address, false)
	}
	f.Fuzz(func(t *testing.T, address string, insecure bool) {
		u, err := parseAddress(address, insecure)
		if err != nil {
			if len(address) > 20 && strings.Contains(err.Error(), address) {
				t.Errorf("the complaint quotes the address: %v", err)
			}
			return
		}
		if u.Scheme == "https" && u.Hostname() != "" && u.User == nil {
			return
		}
		ip, err := netip.ParseAddr(u.Hostname())
		if !insecure || u.Scheme != "http" || u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
			t.Errorf("%q was taken", address)
		}
	})
}
