"""What a copy costs: dated price sheets and pure arithmetic over them; regions are plain codes here."""
