package term

// Title shows the heading of a part.
func (p *Printer) Title(text string) error {
	p.title(text)
	return p.flush()
}

// Field shows a label and a text that is wrapped next to it; the note follows,
// in brackets.
func (p *Printer) Field(label, text, note string) error {
	p.field(2, labelWidth, span{label, strong}, span{text, plain}, note)
	return p.flush()
}
