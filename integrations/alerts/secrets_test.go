package alerts_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// A secret is cut wherever it stands, and nothing else is changed.
func TestSecretsAreCut(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.S3cret_signature-xyz"
	s := alerts.Source{Cut: []string{"badge", "door.code"}}
	for body, want := range map[string]string{
		// By its key.
		`{"password":"S3cret"}`:                                  `{"password":"[cut]"}`,
		`{ "user" : "bob", "PassWord" : "S3cret" , "n": 1 }`:     `{ "user" : "bob", "PassWord" : "[cut]" , "n": 1 }`,
		`{"client_secret":"S3cret","clientSecret":"S3cret"}`:     `{"client_secret":"[cut]","clientSecret":"[cut]"}`,
		`{"x-api-key":"S3cret","apikey":"S3cret","API Key":"x"}`: `{"x-api-key":"[cut]","apikey":"[cut]","API Key":"[cut]"}`,
		`{"http.request.headers.cookie":"a=S3cret"}`:             `{"http.request.headers.cookie":"[cut]"}`,
		`{"headers":{"Authorization":["Basic x","S3cret"]}}`:     `{"headers":{"Authorization":["[cut]","[cut]"]}}`,
		`{"token":480617739502,"otp":4806,"k":4806}`:             `{"token":"[cut]","otp":"[cut]","k":4806}`,
		`{"credentials":{"user":"S3cret","n":[1,-2.5e3,true]}}`:  `{"credentials":{"user":"[cut]","n":["[cut]","[cut]",true]}}`,
		`{"credentials":{"a":{}},"user":"bob"}`:                  `{"credentials":{"a":{}},"user":"bob"}`,
		`{"pass\u0077ord":"S3cret"}`:                             `{"pass\u0077ord":"[cut]"}`,
		`{"password":"S3\"cret","b":"c"}`:                        `{"password":"[cut]","b":"c"}`,
		`{"password":"","token":null,"has_password":true}`:       `{"password":"","token":null,"has_password":true}`,
		`[{"token":"S3cret"},{"host":"a"}]`:                      `[{"token":"[cut]"},{"host":"a"}]`,
		`{"aws_secret_access_key":"S3cret"}`:                     `{"aws_secret_access_key":"[cut]"}`,
		`{"Badge":"S3cret","x.badge":"S3cret","door.code":"7"}`:  `{"Badge":"[cut]","x.badge":"[cut]","door.code":"[cut]"}`,
		// What only looks like one.
		`{"accessKeyId":"AKIA","key":"HKLM\\Run","tokenizer":"x"}`:  `{"accessKeyId":"AKIA","key":"HKLM\\Run","tokenizer":"x"}`,
		`{"alert":{"signature":"ET DOS","signature_id":2024792}}`:   `{"alert":{"signature":"ET DOS","signature_id":2024792}}`,
		`{"TokenElevationType":"%%1936","code":"7","sid":"1707.1"}`: `{"TokenElevationType":"%%1936","code":"7","sid":"1707.1"}`,
		`{"a":"basic authentication failed","b":"bearer of"}`:       `{"a":"basic authentication failed","b":"bearer of"}`,
		`{"at":"2026-03-01T04:00:00Z","u":"https://a:443/x@y"}`:     `{"at":"2026-03-01T04:00:00Z","u":"https://a:443/x@y"}`,
		// In texts.
		`{"a":"GET / HTTP/1.1\r\nAuthorization: Basic S3cret\r\nCookie: a=S3cret; b=S3cret\r\nHost: x"}`: `{"a":"GET / HTTP/1.1\r\nAuthorization: [cut]\r\nCookie: [cut]\r\nHost: x"}`,
		`{"a":"sent with Bearer S3cretS3cret."}`:                                                         `{"a":"sent with Bearer [cut]"}`,
		`{"a":"with basic c2llbTpTM2NyZXQ= to x"}`:                                                       `{"a":"with basic [cut] to x"}`,
		`{"a":"x ` + jwt + ` y"}`:                                                                        `{"a":"x [cut] y"}`,
		`{"url":"https://x/v1/alerts/splunk?a=1&token=S3cret&b=2"}`:                                      `{"url":"https://x/v1/alerts/splunk?a=1&token=[cut]&b=2"}`,
		`{"url":"https://bob:S3cret@x:8089/y","z":"ftp://x"}`:                                            `{"url":"https://bob:[cut]@x:8089/y","z":"ftp://x"}`,
		`{"a":"Server=db;User=sa;Password=S3cret;S3cret x"}`:                                             `{"a":"Server=db;User=sa;Password=[cut] x"}`,
		`{"command_line":"net.exe --user bob --password S3cret /x -Token 'S3 x' -p 7"}`:                  `{"command_line":"net.exe --user bob --password [cut] /x -Token '[cut]' -p 7"}`,
		`{"c":"curl -H 'Authorization: token S3cret' https://x"}`:                                        `{"c":"curl -H 'Authorization: [cut]' https://x"}`,
		`{"c":"curl -H \"X-Api-Key: S3cret\" https://x"}`:                                                `{"c":"curl -H \"X-Api-Key: [cut]\" https://x"}`,
		`{"pem":"-----BEGIN RSA PRIVATE KEY-----\nS3cret\n-----END RSA PRIVATE KEY-----"}`:               `{"pem":"-----BEGIN RSA PRIVATE KEY-----[cut]-----END RSA PRIVATE KEY-----"}`,
		`{"pem":"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"}`:                          `{"pem":"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"}`,
		// In JSON in a text.
		`{"message":"{\"password\":\"S3cret\",\"host\":\"<a>\"}"}`: `{"message":"{\"password\":\"[cut]\",\"host\":\"<a>\"}"}`,
		`{"m":"{\"m\":\"{\\\"token\\\":\\\"S3cret\\\"}\"}"}`:       `{"m":"{\"m\":\"{\\\"token\\\":\\\"[cut]\\\"}\"}"}`,
		`{"m":"{\"password\":\"S3cret\", broken"}`:                 `{"m":"{\"password\":\"[cut]\", broken"}`,
		`{"m":"said \"password\": \"S3cret\" there"}`:              `{"m":"said \"password\": \"[cut]\" there"}`,
		// In what is not JSON.
		`{"password":"S3cret","host":`:          `{"password":"[cut]","host":`,
		`{"password":"S3cret`:                   `{"password":"[cut]`,
		`{password: S3cret, "host": "a"}`:       `{password: [cut] "host": "a"}`,
		`{"token":"S3cret"}` + "\n" + `{"a":1}`: `{"token":"[cut]"}` + "\n" + `{"a":1}`,
		`payload=x&token=S3cret&y=1`:            `payload=x&token=[cut]&y=1`,
		"timestamp,ip\n2026,10.0.0.1\n":         "timestamp,ip\n2026,10.0.0.1\n",
		"\ufeff" + `{"token":"S3cret"}`:         "\ufeff" + `{"token":"[cut]"}`,
		`"Bearer S3cretS3cret"`:                 `"Bearer [cut]"`,
		``:                                      ``,
	} {
		got := string(s.Secretless([]byte(body)))
		if got != want {
			t.Errorf("%s\nbecomes %s\nnot     %s", body, got, want)
		}
		if json.Valid([]byte(body)) && !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON any more: %s", body, got)
		}
		if again := string(s.Secretless([]byte(got))); again != got {
			t.Errorf("%s is cut again to %s", got, again)
		}
	}
}

// What is kept of an alert holds no secret; what was read of it is what came, and a
// rejected alert that is read again is the same alert.
func TestWhatIsKeptHoldsNoSecrets(t *testing.T) {
	const body = `{"@timestamp":"2026-03-01T03:00:00Z","host":{"id":"a","name":"a"},"api_key":"S3cret","process":{"command_line":"x --token S3cret` + "\x00" + `"}}`
	for _, line := range []string{"", strings.Repeat("y", alerts.MaxCommandLine)} {
		parsed, err := source("elastic").Parse([]byte(strings.ReplaceAll(body, "\x00", line)), now())
		if err != nil || parsed[0].Wrong != nil {
			t.Fatal(err, parsed[0].Wrong)
		}
		for name, kept := range map[string][]byte{"the document": parsed[0].Alert.Raw, "the body": parsed[0].Body} {
			if !bytes.Contains(kept, []byte(`"api_key":"[cut]"`)) || bytes.Contains(kept, []byte("S3cret")) {
				t.Errorf("%s is %.200s", name, kept)
			}
		}
		if read, _ := parsed[0].Alert.Process.CommandLine.Get(); !strings.HasPrefix(read, "x --token S3cret") {
			t.Errorf("the command line that was read is %.80s", read)
		}
		again, err := source("elastic").Parse(parsed[0].Body, now())
		if err != nil || line == "" && again[0].Alert.ID != parsed[0].Alert.ID {
			t.Errorf("read again it is %s, not %s: %v", again[0].Alert.ID, parsed[0].Alert.ID, err)
		}
	}
	many := `{"alerts":[` + strings.Repeat(`{"host":{"id":"a"}},`, alerts.MaxAlerts) + `{"host":{"id":"b"},"token":"S3cret"}]}`
	parsed, err := source("stanch").Parse([]byte(many), now())
	if err != nil || bytes.Contains(parsed[alerts.MaxAlerts].Body, []byte("S3cret")) {
		t.Errorf("beyond the bound: %v, %s", err, parsed[alerts.MaxAlerts].Body)
	}
}

func FuzzSecretless(f *testing.F) {
	for _, seed := range []string{
		`{"password":"x","a":{"token":[1,"b"]},"c":"d --secret e https://u:p@h/"}`, `{"a":"{\"cookie\":\"b\"}"}`, `{"token`, `[{"a":"Bearer abcdefgh"},`,
		"Cookie: a\r\nAuthorization: \"b\\\"c\"", `{"a":"\ud800\"password\":\"x\\"}`, "-----BEGIN PRIVATE KEY-----", `{"a":"eyJ.a.b"}`, "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	s := alerts.Source{Cut: []string{"badge"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		once := s.Secretless(body)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if json.Valid(body) && !json.Valid(once) {
			t.Errorf("%q is no JSON any more: %q", body, once)
		}
		if twice := s.Secretless(once); !bytes.Equal(once, twice) {
			t.Errorf("%q: %q is cut again to %q", body, once, twice)
		}
	})
}

// What an attacker writes takes no longer than its length.
func BenchmarkSecretless(b *testing.B) {
	for name, body := range map[string]string{
		"an alert": source("elastic").Example, "blanks": `{"a":"` + strings.Repeat(" ", alerts.MaxAlertBytes) + `"}`, "words": `{"a":"` + strings.Repeat("token: ", alerts.MaxAlertBytes/7) + `"}`,
		"quotes": `{"a":"` + strings.Repeat(`\" =`, alerts.MaxAlertBytes/4) + `"}`, "lists": `{"a":"` + strings.Repeat(`[`, alerts.MaxAlertBytes) + `"}`,
		"addresses": `{"a":"` + strings.Repeat("://", alerts.MaxAlertBytes/3) + `"}`, "keys": `{"a":"` + strings.Repeat("-----BEGIN PRIVATE KEY-----[cut]-----END ", alerts.MaxAlertBytes/42) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				alerts.Source{}.Secretless([]byte(body))
			}
		})
	}
}
