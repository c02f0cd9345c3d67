package alerts

// Fields says where the values of an alert stand in the documents of one kind:
// the reader takes the paths from it, and so does the generated reference.
type Fields []Field

// Field is one value of an alert, or one that others are found by.
type Field struct {
	// Name is that of the alert's field, or of what is read to find it.
	Name string
	// Doc says when it is read, or what for, where the name does not.
	Doc string
	// Paths are the fields of the document, in the order in which they are tried.
	Paths []string
}

// Of are the paths of the value with this name.
func (f Fields) Of(name string) []string {
	for _, field := range f {
		if field.Name == name {
			return field.Paths
		}
	}
	return nil
}
