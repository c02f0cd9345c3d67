package alerts_test

import "testing"

// A name that only looks like another one, or folds to it, is not that name: it is read with
// the odd character escaped, so that no device is found by it.
func TestANameThatLooksLikeAnotherIsNotThatName(t *testing.T) {
	for name, want := range map[string]string{
		"ws\u200b-042":        `ws\u200b-042`,
		"\u202e240-sw":        `\u202e240-sw`,
		"\ufeffws-042":        `\ufeffws-042`,
		"ws-042\U000e0041":    `ws-042\U000e0041`,
		"ws\u00ad-042":        `ws\xad-042`,
		"ws\u3164-042":        `ws\u3164-042`,
		"ws-\ufe0f042":        `ws-\ufe0f042`,
		"w\u212a-042":         `w\u212a-042`,
		"w\u017f-042":         `w\u017f-042`,
		"w\u0130-042":         `w\u0130-042`,
		"bücher-π-サーバー":       "bücher-π-サーバー",
		"ws-042.corp.example": "ws-042.corp.example",
	} {
		for _, at := range []string{"name", "id"} {
			a, err := read1(`{"host":{"` + at + `":"` + name + `"}}`)
			if err != nil {
				t.Errorf("%+q: %v", name, err)
				continue
			}
			if got, _ := a.Host.ID.Get(); got != want {
				t.Errorf("the host with the %s %+q is %+q, not %s", at, name, got, want)
			}
		}
	}
	a, err := read1(`{"host":{"name":["ws-042","ws-042\u200b"]}}`)
	if err != nil || len(a.Host.Doubts) != 1 {
		t.Errorf("two names of which one is hidden are %v with %q, %v", a.Host.Name, a.Host.Doubts, err)
	}
	a, err = read1(`{"host":{"name":["wk-1","w\u212a-1"]}}`)
	if err != nil || len(a.Host.Doubts) != 1 {
		t.Errorf("two names of which one folds to the other are %v with %q, %v", a.Host.Name, a.Host.Doubts, err)
	}
}

// The name of a program is what the EDR has for it too, whatever it holds.
func TestTheNameOfAProgramStays(t *testing.T) {
	a, err := read1(`{"host":{"id":"h"},"process":{"path":"C:\\a\u202egpj.exe"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if path, _ := a.Process.Path.Get(); path != "C:\\a\u202egpj.exe" {
		t.Errorf("the path is %+q", path)
	}
}
