package wazuh

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

func TestAgentIDs(t *testing.T) {
	for _, good := range []string{"001", "042", "999", "1000", "123456789"} {
		if id, ok := agentIDOf(good); !ok || string(id) != good {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "0", "01", "000", "0000", "0011", "all", "*", "001,002", "001 ", "00a", "-01", "0x1", "1234567890", "١٢٣"} {
		if _, ok := agentIDOf(bad); ok {
			t.Errorf("%q is taken for the id of one agent", bad)
		}
	}
}

func TestUnescaped(t *testing.T) {
	for have, want := range map[string]string{
		`C:\\Windows\\a.exe`: `C:\Windows\a.exe`, `C:\Windows\a.exe`: `C:\Windows\a.exe`, `\\\\server\\share`: `\\server\share`, `\\server\share`: `\\server\share`,
		`\"C:\\a b.exe\" -x`: `"C:\a b.exe" -x`, `"C:\a b.exe" -x`: `"C:\a b.exe" -x`, `a`: `a`, ``: ``, `ends\`: `ends\`, `ends\\`: `ends\`,
	} {
		if got := unescaped(have); got != want {
			t.Errorf("%q becomes %q, want %q", have, got, want)
		}
	}
}

func TestMoments(t *testing.T) {
	want := time.Date(2026, 11, 30, 7, 8, 9, 250e6, time.UTC)
	for _, s := range []string{"2026-11-30T07:08:09.250Z", "2026-11-30T08:08:09.250+0100", "2026-11-30 07:08:09.250", "2026-11-30T07:08:09.2500000Z"} {
		if got := momentOf(s); !got.Equal(want) {
			t.Errorf("%q is %s, want %s", s, got, want)
		}
	}
	for _, s := range []string{"", "-", "null", "yesterday"} {
		if got := momentOf(s); !got.IsZero() {
			t.Errorf("%q is %s, and no time", s, got)
		}
	}
}

// Values are read in whichever form a release writes them.
func TestLenientValues(t *testing.T) {
	var got struct {
		A, B, C, D, E text
		F             fields
	}
	if err := json.Unmarshal([]byte(`{"a":"x","b":7,"c":true,"d":null,"e":{"x":[]},"f":{"ProcessId":12,"User":null,"List":[1],"Image":"-"}}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.A != "x" || got.B != "7" || got.C != "true" || got.D != "" || got.E != "" {
		t.Errorf("the values are %+v", got)
	}
	if n, ok := got.F.number("processID"); !ok || n != 12 || got.F.get("image") != "" || got.F.get("user") != "" {
		t.Errorf("the fields are %v", got.F)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"WS-042": "name~WS-042", "ws-042.corp.example": "name~ws-042", "ws.": "name~ws",
		"": "", "*": "", "a,id!=0": "", "a;b": "", "a b": "", "(a": "", "192.0.2.1": "", "..": "", "a..b": "", "é": "", "a~b": "", "a=b": "",
	} {
		if got := nameQuery(name); got != want {
			t.Errorf("the query for %q is %q, want %q", name, got, want)
		}
	}
}

func TestLifetime(t *testing.T) {
	token := func(claims string) integrations.Secret {
		return integrations.Secret("e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x")
	}
	for claims, want := range map[string]time.Duration{
		`{"nbf":1000,"exp":1900}`: 15 * time.Minute, `{"nbf":1000,"exp":900}`: 0, `{"exp":1900}`: 0, `x`: 0, `{"nbf":1,"exp":99999999999}`: 24 * time.Hour,
	} {
		if got := lifetime(token(claims)); got != want {
			t.Errorf("a token of %s is good for %s, want %s", claims, got, want)
		}
	}
	if lifetime("opaque") != 0 {
		t.Error("a token that tells nothing has a life")
	}
}

// What the machine wrote last decides, also where the manager received two lines the other
// way round; but not where there is a while between them.
func TestNewestLine(t *testing.T) {
	at := time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC)
	mixed := []line{{seq: 4, at: at.Add(2 * time.Millisecond)}, {seq: 5, at: at}}
	if got, ok := newest(mixed); !ok || got.seq != 5 {
		t.Errorf("the newest line is %d, want 5", got.seq)
	}
	counted := []line{{seq: 1, at: at.Add(time.Hour)}, {seq: 9, at: at}}
	if got, _ := newest(counted); got.seq != 1 {
		t.Errorf("the newest line is %d, want 1: the count has begun again", got.seq)
	}
	if _, ok := newest(nil); ok {
		t.Error("there is a newest of no lines")
	}
}

// A line that came by another log is not the script's.
func TestLineOfAnotherLog(t *testing.T) {
	var a alert
	const source = `{"_source":{"timestamp":"2026-11-30T07:00:00.000+0000","decoder":{"name":%q},"data":{"stanch":{"script":"isolate","state":"isolated","exit":3}}}}`
	for decoder, want := range map[string]bool{"ar_log_json": true, "ar_log_json_child": true, "json": false, "windows_eventchannel": false, "": true} {
		a = alert{}
		if err := json.Unmarshal([]byte(strings.Replace(source, "%q", `"`+decoder+`"`, 1)), &a); err != nil {
			t.Fatal(err)
		}
		if l, ok := lineOf(a); ok != want || ok && (l.state != "isolated" || *l.exit != 3) {
			t.Errorf("a line by the decoder %q counts is %t, want %t: %+v", decoder, ok, want, l)
		}
	}
}

func TestOutput(t *testing.T) {
	zero := 0
	part := func(n int64, s string) line {
		return line{result: "done", part: n, parts: 3, exit: &zero, output: base64.StdEncoding.EncodeToString([]byte(s))}
	}
	if r := output([]line{part(3, "c"), part(1, "a")}); r.State != integrations.ScriptRunning {
		t.Errorf("with a part missing it is %s, want running", r.State)
	}
	if r := output([]line{part(3, "c"), part(1, "a"), part(2, "b"), part(2, "b")}); r.State != integrations.ScriptDone || r.Stdout != "abc" || r.Exit == nil || *r.Exit != 0 {
		t.Errorf("the result is %+v", r)
	}
	if r := output([]line{{result: "refused", detail: "there is no such script"}}); r.State != integrations.ScriptFailed || !strings.Contains(r.Detail, "no such script") {
		t.Errorf("the result is %+v", r)
	}
	long := line{result: "done", output: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", maxOutput+5)))}
	if r := output([]line{long}); len(r.Stdout) != maxOutput || !strings.Contains(r.Detail, "cut") {
		t.Errorf("%d bytes of output, %q", len(r.Stdout), r.Detail)
	}
}

func TestConfig(t *testing.T) {
	good := Config{
		URL: "https://wazuh.example:55000/", User: "u", Password: "p", IndexerURL: "https://wazuh.example:9200", IndexerUser: "u", IndexerPassword: "p",
		Index: defaultIndex, Access: httpx.Access{Timeout: defaultTimeout},
	}
	if c, err := Open(good); err != nil || c.manager.origin != "https://wazuh.example:55000" {
		t.Fatalf("a good configuration: %v", err)
	}
	for what, change := range map[string]func(*Config){
		"http": func(c *Config) { c.URL = "http://wazuh.example:55000" }, "user in url": func(c *Config) { c.IndexerURL = "https://a:b@wazuh.example" },
		"no url": func(c *Config) { c.URL = "" }, "a colon": func(c *Config) { c.User = "a:b" }, "no password": func(c *Config) { c.IndexerPassword = "" },
		"all indices": func(c *Config) { c.Index = "*" }, "an index with a path": func(c *Config) { c.Index = "a/_delete_by_query?" }, "no time": func(c *Config) { c.Timeout = 0 },
	} {
		bad := good
		change(&bad)
		if _, err := Open(bad); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s: %v, want invalid", what, err)
		} else if strings.Contains(err.Error(), "a:b@") {
			t.Errorf("%s: the error shows the password: %v", what, err)
		}
	}
}
