package apispec_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

func TestParsePowerShell(t *testing.T) {
	got := apispec.ParsePowerShell(t, "param([string]$Name)\nfunction Say([int]$n) { $out = 1 }\nSay -n $Name > out.txt\n& $Name 1\n[IO.File]::Delete('x')\niex 'a'\n")
	if len(got.Broken) != 0 || !slices.Equal(got.Params, []string{"$Name"}) || !slices.Equal(got.Functions, []string{"Say"}) || !slices.Contains(got.Methods, "Delete") {
		t.Errorf("the script is %+v", got)
	}
	var names []string
	for _, c := range got.Commands {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"Say", "", "iex"}) || !got.Commands[1].Computed || got.Commands[0].With("-N") != "$Name" || len(got.Redirections) == 0 {
		t.Errorf("the commands are %+v, and %q is redirected", got.Commands, got.Redirections)
	}
	for _, broken := range []string{"if ($a { b }", "$a = 'x", "function f { ", "foreach ($a in ) { }"} {
		if len(apispec.ParsePowerShell(t, broken).Broken) == 0 {
			t.Errorf("%q is said to be right", broken)
		}
	}
}

// All scripts that are for a machine with Windows can be parsed.
func TestScriptsOfTheProductCanBeParsed(t *testing.T) {
	for _, file := range []string{"../defender/stanch-kill.ps1", "../wazuh/stanch.ps1", "../windowsqos/stanch-netqos.ps1"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if broken := apispec.ParsePowerShell(t, string(text)).Broken; len(broken) != 0 {
			t.Errorf("%s cannot be parsed in the lines %v", file, broken)
		}
	}
}
