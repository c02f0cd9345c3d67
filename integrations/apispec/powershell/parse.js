// Reads a script of PowerShell and writes what it calls, and where it cannot be parsed. Its
// argument is the folder of the packages.
const path = require('path');
const folder = process.argv[1];
const { Parser, Language } = require(path.join(folder, 'web-tree-sitter', 'web-tree-sitter.cjs'));

// below are the nodes of a type in a node, itself included.
function below(node, type, found = []) {
  if (node.type === type) found.push(node);
  for (const child of node.children) below(child, type, found);
  return found;
}

const texts = (node, type) => below(node, type).map((n) => n.text);

// command is a call: its name, whether an operator makes one of a value, and its words.
function command(node) {
  const words = [];
  let name = '', computed = false;
  for (const child of node.children) {
    if (child.type === 'command_name') name = child.text;
    else if (child.type === 'command_elements') {
      for (const word of child.children) if (word.type !== 'command_argument_sep') words.push(word.text);
    } else computed = true;
  }
  return { name, computed, words, line: node.startPosition.row + 1 };
}

async function main() {
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Language.load(path.join(folder, 'tree-sitter-powershell', 'tree-sitter-powershell.wasm')));
  const root = parser.parse(require('fs').readFileSync(0, 'utf8')).rootNode;
  const broken = [];
  (function look(node) {
    if (node.isError || node.isMissing) broken.push(node.startPosition.row + 1);
    node.children.forEach(look);
  })(root);
  const blocks = root.children.filter((n) => n.type === 'param_block');
  process.stdout.write(JSON.stringify({
    broken,
    functions: texts(root, 'function_name'),
    commands: below(root, 'command').map(command),
    methods: below(root, 'invokation_expression').map((n) => texts(n, 'member_name').pop()),
    types: texts(root, 'type_name'),
    params: blocks.flatMap((b) => below(b, 'script_parameter')).map((p) => below(p, 'variable')[0].text),
    assigned: below(root, 'left_assignment_expression').map((n) => n.text)
      .concat(below(root, 'foreach_statement').map((n) => below(n, 'variable')[0].text))
      .concat(below(root, 'function_parameter_declaration').flatMap((n) => texts(n, 'variable'))),
    redirections: texts(root, 'redirection'),
  }));
}
main();
