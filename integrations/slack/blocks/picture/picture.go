// Package picture draws Block Kit as SVG, much as Slack shows it on a phone, so
// that the documents show the cards that the code makes. It reads the blocks'
// JSON, as Slack does, and refuses what it does not know how to draw.
package picture

import (
	"encoding/json"
	"fmt"
)

// The picture's measures in pixels: a phone's width, and letters that keep
// their size on it.
const (
	pageWidth = 420
	margin    = 16
	gap       = 9
	lead      = 1.38 // height of a line over the height of its letters
)

// Reader is for whom a picture is drawn.
type Reader struct {
	// Names are the handles of the people and groups that are mentioned, by id.
	Names map[string]string
}

// Message draws a message.
func (r Reader) Message(blocks []byte) ([]byte, error) {
	var list []element
	if err := json.Unmarshal(blocks, &list); err != nil {
		return nil, fmt.Errorf("draw a message: %w", err)
	}
	p := r.page()
	p.sender()
	if err := p.blocks(list); err != nil {
		return nil, fmt.Errorf("draw a message: %w", err)
	}
	return p.svg(), nil
}

// View draws a modal view.
func (r Reader) View(view []byte) ([]byte, error) {
	var v struct {
		Title, Submit, Close textObject
		Blocks               []element
	}
	if err := json.Unmarshal(view, &v); err != nil {
		return nil, fmt.Errorf("draw a view: %w", err)
	}
	p := r.page()
	p.titleBar(v.Close.Text, v.Title.Text, v.Submit.Text)
	if err := p.blocks(v.Blocks); err != nil {
		return nil, fmt.Errorf("draw a view: %w", err)
	}
	return p.svg(), nil
}

func (r Reader) page() *page {
	return &page{reader: r, ruler: newRuler(), y: margin, left: margin, width: pageWidth - 2*margin}
}

// element is a block or a part of one. What text and style are depends on the
// type.
type element struct {
	Type        string          `json:"type"`
	Text        json.RawMessage `json:"text"`
	Style       json.RawMessage `json:"style"`
	Elements    []element       `json:"elements"`
	Element     *element        `json:"element"`
	Label       textObject      `json:"label"`
	Hint        textObject      `json:"hint"`
	Placeholder textObject      `json:"placeholder"`
	Optional    bool            `json:"optional"`
	Timestamp   int64           `json:"timestamp"`
	Format      string          `json:"format"`
}

type textObject struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func (e element) object() (textObject, error) {
	var t textObject
	if err := json.Unmarshal(e.Text, &t); err != nil {
		return t, fmt.Errorf("the text of a %s: %w", e.Type, err)
	}
	return t, nil
}

func (p *page) blocks(list []element) error {
	for i, b := range list {
		if err := p.block(b); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		p.y += gap
	}
	return nil
}

func (p *page) block(b element) error {
	switch b.Type {
	case "header", "section":
		t, err := b.object()
		if err != nil {
			return err
		}
		letters := body()
		if b.Type == "header" {
			letters = letters.heading()
		}
		p.flow(p.runs(t, letters), 0)
	case "context":
		for _, e := range b.Elements {
			// A context's elements are text objects themselves.
			var text string
			if err := json.Unmarshal(e.Text, &text); err != nil {
				return fmt.Errorf("the text of a context: %w", err)
			}
			p.flow(p.runs(textObject{e.Type, text}, body().small()), 0)
		}
	case "actions":
		return p.buttons(b.Elements)
	case "rich_text":
		return p.richText(b.Elements)
	case "input":
		p.input(b)
	default:
		return fmt.Errorf("a block of type %q cannot be drawn", b.Type)
	}
	return nil
}

func (p *page) richText(parts []element) error {
	for _, part := range parts {
		switch part.Type {
		case "rich_text_section":
			if err := p.inline(part, body(), 0); err != nil {
				return err
			}
		case "rich_text_list":
			for _, item := range part.Elements {
				p.bullet()
				if err := p.inline(item, body(), 20); err != nil {
					return err
				}
			}
		case "rich_text_preformatted":
			runs, err := p.inlineRuns(part, body().typewriter())
			if err != nil {
				return err
			}
			p.terminal(runs)
		default:
			return fmt.Errorf("a part of type %q cannot be drawn", part.Type)
		}
	}
	return nil
}

func (p *page) inline(part element, letters letters, indent float64) error {
	runs, err := p.inlineRuns(part, letters)
	if err != nil {
		return err
	}
	p.flow(runs, indent)
	return nil
}

func (p *page) inlineRuns(part element, plain letters) ([]run, error) {
	var runs []run
	for _, e := range part.Elements {
		letters, err := styled(e, plain)
		if err != nil {
			return nil, err
		}
		switch e.Type {
		case "text", "link":
			var text string
			if err := json.Unmarshal(e.Text, &text); err != nil {
				return nil, fmt.Errorf("the text of a %s: %w", e.Type, err)
			}
			if e.Type == "link" {
				letters.color = linkColor
			}
			runs = append(runs, run{text, letters})
		case "date":
			runs = append(runs, run{dated(e.Timestamp, e.Format), letters})
		default:
			return nil, fmt.Errorf("an element of type %q cannot be drawn", e.Type)
		}
	}
	return runs, nil
}

// styled is how the letters of an element look.
func styled(e element, l letters) (letters, error) {
	if len(e.Style) == 0 {
		return l, nil
	}
	var style struct{ Bold, Italic bool }
	if err := json.Unmarshal(e.Style, &style); err != nil {
		return l, fmt.Errorf("the style of a %s: %w", e.Type, err)
	}
	l.bold, l.italic = l.bold || style.Bold, l.italic || style.Italic
	return l, nil
}
