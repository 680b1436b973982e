"""The window of render_mode="human". Imports pygame, so it is imported only when one opens."""

import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled

try:
    import pygame
except ImportError as error:
    raise DependencyNotInstalled(
        'render_mode="human" needs pygame: pip install "memory-envs[minigrid]"'
    ) from error


class Window:
    """Shows images at a fixed rate.

    Args:
        fps: Number of images per second; `show` waits as long as that takes.
    """

    def __init__(self, fps: int) -> None:
        pygame.display.init()
        self._clock = pygame.time.Clock()
        self._fps = fps
        self._surface: pygame.Surface | None = None

    def show(self, image: npt.NDArray[np.uint8]) -> None:
        """Shows an image of shape ``(height, width, 3)``."""
        size = (image.shape[1], image.shape[0])
        if self._surface is None or self._surface.get_size() != size:
            self._surface = pygame.display.set_mode(size)
            pygame.display.set_caption("memory-envs")
        self._surface.blit(pygame.surfarray.make_surface(image.swapaxes(0, 1)), (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        """Closes the window."""
        pygame.display.quit()
