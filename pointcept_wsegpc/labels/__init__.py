"""Operations on label stores."""
