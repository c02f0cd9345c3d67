package apispec

import (
	"bytes"
	"embed"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed powershell
var powershell embed.FS

// PowerShell is what a script of PowerShell consists of, by a parser of the language. It
// knows the syntax alone: not which commands there are, and not what they take.
type PowerShell struct {
	// Broken are the lines that cannot be parsed.
	Broken []int
	// Functions are those that it defines, Params its parameters, with their dollars.
	Functions, Params []string
	Commands          []PowerShellCommand
	// Methods are the names that are called or read in an expression with a call, Types
	// those that it names.
	Methods, Types []string
	// Assigned are the variables and properties that it sets, Redirections what it
	// redirects.
	Assigned, Redirections []string
}

// PowerShellCommand is one call of a command.
type PowerShellCommand struct {
	Name string
	// Computed reports that an operator makes the command of a value.
	Computed bool
	// Words are its parameters and arguments.
	Words []string
	Line  int
}

// With returns the word after a parameter of the command; empty where there is none.
func (c PowerShellCommand) With(parameter string) string {
	for i, w := range c.Words[:max(0, len(c.Words)-1)] {
		if strings.EqualFold(w, parameter) {
			return c.Words[i+1]
		}
	}
	return ""
}

// ParsePowerShell parses a script. Without the parser the test is skipped.
func ParsePowerShell(tb testing.TB, script string) PowerShell {
	tb.Helper()
	node, program, ok := inNode("STANCH_POWERSHELL", "tree-sitter-powershell", "tree-sitter-powershell.wasm")
	if !ok {
		tb.Skip("SKIPPED: the parser tree-sitter-powershell 0.26.4 is not installed")
	}
	reader, err := powershell.ReadFile("powershell/parse.js")
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), node, "-e", string(reader), filepath.Dir(filepath.Dir(program)))
	cmd.Stdin = strings.NewReader(script)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	said, err := cmd.Output()
	if err != nil {
		tb.Fatalf("parse a script: %v: %s", err, problems.String())
	}
	var parsed PowerShell
	if err := json.Unmarshal(said, &parsed); err != nil {
		tb.Fatalf("read %.200q: %v", said, err)
	}
	return parsed
}
