package evidence

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style are files, so that editors know them
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

//go:embed page.html.tmpl
var pageText string

//go:embed page.css
var pageStyle string

// The widths of the two charts: one for a desk and for paper, one for a phone.
const (
	wideChart   = 920
	narrowChart = 360
)

// page is the input of the template.
type page struct {
	wording.Account
	Graph  graph
	Charts []chart
	Files  []File
	Style  template.CSS
	// Policy allows the page its own style and nothing else: no script, no
	// image, no address, even if some text got past the escaping.
	Policy string
}

// renderPage makes the page. It depends on the case alone, never on the clock:
// the same case gives the same page.
func renderPage(c incident.Case, files []File) ([]byte, error) {
	tmpl, err := template.New("page").Funcs(template.FuncMap{
		"clock":  wording.Clock,
		"time":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"since":  wording.Since,
		"length": wording.Between,
		"size":   incident.FormatSize,
		"glyph":  glyph,
	}).Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("read the page's template: %w", err)
	}
	g := graphOf(c)
	p := page{Account: wording.Of(c), Graph: g, Files: files, Style: template.CSS(pageStyle), Policy: contentPolicy()}
	for i := range g.Notes {
		p.Graph.Notes[i] = wording.Inert(g.Notes[i], 1000)
	}
	if len(g.points) > 0 {
		p.Charts = []chart{layOut("wide", wideChart, false, g), layOut("narrow", narrowChart, true, g)}
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return out.Bytes(), nil
}

// Style is the style of the page, and the policy that allows a page that style and
// nothing else.
func Style() (style template.CSS, policy string) { return template.CSS(pageStyle), contentPolicy() }

func contentPolicy() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// glyph repeats an answer as a sign, for the eye; the word is always next to it.
func glyph(answer string) string {
	switch strings.TrimSpace(answer) {
	case "yes":
		return "✓"
	case "no":
		return "✗"
	case "cannot tell":
		return "?"
	case "not yet":
		return "…"
	default:
		return "–"
	}
}
