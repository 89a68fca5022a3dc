"""Comments: their threads, what they are about, whom they mention."""
