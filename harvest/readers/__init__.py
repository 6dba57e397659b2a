"""From bytes to text: LaTeX source trees and PDF files become an `Extract`."""
