package alerts_test

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestImages(t *testing.T) {
	said := func(text string) incident.Value[string] { return incident.Said(text, incident.FromAlert) }
	for image, want := range map[string][2]string{
		`C:\Users\kim\x.exe`: {"x.exe (computed)", `C:\Users\kim\x.exe (alert)`},
		`/usr/bin/x`:         {"x (computed)", "/usr/bin/x (alert)"},
		`System`:             {"System (computed)", `unknown ("System" is no full path)`},
		`C:\Users\`:          {`unknown ("C:\\Users\\" is a folder)`, `C:\Users\ (alert)`},
	} {
		name, path := alerts.ImageOf(said(image))
		if got := [2]string{shown(name), shown(path)}; got != want {
			t.Errorf("%s is %q, want %q", image, got, want)
		}
	}
	for _, c := range []struct{ folder, name, want string }{
		{`C:\Users\kim`, "x.exe", `C:\Users\kim\x.exe (computed)`},
		{`C:\`, "x.exe", `C:\x.exe (computed)`},
		{"/usr/bin/", "x", "/usr/bin/x (computed)"},
		{`C:\Users\X.exe`, "x.exe", `C:\Users\X.exe (alert)`},
		{"", "x", "unknown"},
		{`C:\`, "", "unknown"},
	} {
		if got := shown(alerts.ImageIn(said(c.folder), said(c.name))); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.name, c.folder, got, c.want)
		}
	}
	if name, path := alerts.ImageOf(said("")); name.IsKnown() || path.IsKnown() {
		t.Errorf("nothing is %v at %v", name, path)
	}
}

func shown(v incident.Value[string]) string {
	if !v.IsKnown() {
		return v.String()
	}
	return v.String() + " (" + string(v.From()) + ")"
}
